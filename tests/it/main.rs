//! x

mod d11_time_zones;
