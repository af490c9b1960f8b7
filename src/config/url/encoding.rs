//! Special characters that should have been percent-encoded. One of them in a password makes the rest of
//! it a host or a parameter.

/// Parameters of a server's URL whose values may hold an `@`.
const PARAMETERS_WITH_AT: &[&str] = &["user", "password", "host", "options", "dbname"];

/// The character of a server's URL that should have been percent-encoded, if one is found.
pub(super) fn not_encoded(url: &str) -> Option<char> {
    let (_, rest) = url.split_once("://")?;
    // A database's URL has no fragment.
    if rest.contains('#') {
        return Some('#');
    }
    let (place, parameters) = match rest.split_once('?') {
        Some((place, parameters)) => (place, Some(parameters)),
        None => (rest, None),
    };
    let authority = place.split('/').next().unwrap_or(place);
    // The one that ends user and password is the only one that may stand there.
    if authority.matches('@').count() > 1 {
        return Some('@');
    }
    if place.len() > authority.len() && place[authority.len()..].contains('@') {
        // Of a password with a `/`, or of the database's name.
        return Some(if authority.contains('@') { '@' } else { '/' });
    }
    let with_at = parameters
        .into_iter()
        .flat_map(|parameters| parameters.split('&'))
        .filter(|parameter| parameter.contains('@'));
    for parameter in with_at {
        let name = parameter.split_once('=').map_or("", |(name, _)| name);
        let names_database = place.len() > authority.len() + 1 || place.is_empty();
        // A `/` after it looks like a host and a database: that is the end of a password with a `?`.
        let looks_like_host = parameter
            .rsplit('@')
            .next()
            .is_some_and(|end| end.contains('/'));
        if !PARAMETERS_WITH_AT.contains(&name)
            || !names_database
            || (looks_like_host && name != "host")
        {
            return Some('?');
        }
    }
    let mut encoded = rest.split('%').skip(1);
    let is_encoded =
        |part: &str| part.len() >= 2 && part.bytes().take(2).all(|b| b.is_ascii_hexdigit());
    (!encoded.all(is_encoded)).then_some('%')
}
