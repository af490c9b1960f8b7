//! Whole tables as text, on every database.

use sea_orm::{ConnectionTrait, Statement};

use crate::support::{Backend, World};

/// All columns of all rows, whatever their types: each as the bytes that its text is made of.
pub async fn dump(world: &World, table: &str) -> String {
    let columns = columns(world, table).await;
    assert!(columns.len() > 1, "{table} has columns");
    let backend = world.scratch.backend();
    let cells: Vec<String> = columns
        .iter()
        .map(|column| match backend {
            Backend::Postgres => {
                format!("COALESCE(encode(convert_to(\"{column}\"::text, 'UTF8'), 'hex'), '')")
            }
            Backend::MariaDb => format!("COALESCE(HEX(CAST(`{column}` AS BINARY)), '')"),
            Backend::Sqlite => format!("COALESCE(hex(CAST(\"{column}\" AS BLOB)), '')"),
        })
        .collect();
    let row = match backend {
        Backend::MariaDb => format!("CONCAT_WS('0A', {})", cells.join(", ")),
        _ => cells.join(" || '0A' || "),
    };
    let lines = texts(world, &format!("SELECT {row} AS text FROM {table}")).await;
    lines
        .iter()
        .map(|line| {
            let bytes = hex::decode(line).expect("hexadecimal");
            format!("{}\n{line}\n", String::from_utf8_lossy(&bytes))
        })
        .collect()
}

async fn columns(world: &World, table: &str) -> Vec<String> {
    let sql = match world.scratch.backend() {
        Backend::Postgres => format!(
            "SELECT column_name::text AS text FROM information_schema.columns \
             WHERE table_name = '{table}' AND table_schema = 'public'"
        ),
        Backend::MariaDb => format!(
            "SELECT column_name AS text FROM information_schema.columns \
             WHERE table_name = '{table}' AND table_schema = DATABASE()"
        ),
        Backend::Sqlite => format!("SELECT name AS text FROM pragma_table_info('{table}')"),
    };
    texts(world, &sql).await
}

pub async fn texts(world: &World, sql: &str) -> Vec<String> {
    let statement = Statement::from_string(world.db.get_database_backend(), sql);
    let rows = world.db.query_all_raw(statement).await.expect("rows");
    rows.iter()
        .map(|row| row.try_get("", "text").expect("a text"))
        .collect()
}
