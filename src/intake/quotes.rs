//! Quotation marks that do not match. Pure.
//!
//! The parser takes anything: a mark that nobody closed swallows the lines after it, up to the next
//! mark, as one value. That next mark mostly opens a value of its own, so text follows it; by this the
//! mistake is seen.

/// How a record's quotation marks stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Quotes {
    /// What is wrong with them.
    pub fault: Option<Fault>,
    /// Whether one stands inside a value that is not quoted: `5" pipe`.
    pub bare: bool,
    /// Line ends inside the record.
    pub line_ends: u64,
}

/// Quotation marks that do not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The file ends inside quotation marks.
    Open,
    /// Neither a comma nor the end of the line follows a closing one.
    Torn,
}

impl Fault {
    /// For the rejects file.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Open => "a quotation mark is never closed",
            Self::Torn => "text follows a closing quotation mark",
        }
    }
}

/// What a reason adds for a record that spans lines, and those are many when it swallowed some.
pub(super) fn spans(first_line: u64, line_ends: u64) -> String {
    let last_line = first_line + line_ends;
    format!("spans lines {first_line} to {last_line}; a quotation mark may be missing")
}

impl Quotes {
    /// Follows the parser's rules: a quotation mark opens only at the start of a field, and a
    /// doubled one stands for itself. `record` is without the line's end.
    pub(super) fn of(record: &[u8]) -> Self {
        enum At {
            Start,
            Plain,
            Quoted,
            QuoteInQuoted,
        }
        let mut quotes = Self::default();
        let mut at = At::Start;
        for byte in record {
            quotes.line_ends += u64::from(*byte == b'\n');
            at = match (at, byte) {
                (At::Start, b'"') | (At::QuoteInQuoted, b'"') => At::Quoted,
                (At::Quoted, b'"') => At::QuoteInQuoted,
                (At::Quoted, _) => At::Quoted,
                (_, b',') => At::Start,
                (At::QuoteInQuoted, _) => {
                    quotes.fault = Some(Fault::Torn);
                    At::Plain
                }
                (_, byte) => {
                    quotes.bare |= *byte == b'"';
                    At::Plain
                }
            };
        }
        if matches!(at, At::Quoted) {
            quotes.fault = Some(Fault::Open);
        }
        quotes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e08_quotation_marks_that_do_not_match_are_seen() {
        for (record, fault, bare) in [
            ("a,b", None, false),
            ("\"b\"", None, false),
            ("\"a,\"\"b\"\"\",\"\"", None, false),
            ("\"two\nlines\",c", None, false),
            ("5\" pipe,b\"", None, true),
            ("a, \"b\"", None, true),
            ("\"b", Some(Fault::Open), false),
            ("\"b\"\"", Some(Fault::Open), false),
            ("b,\"c\n\nd", Some(Fault::Open), false),
            ("\"b\"c\"", Some(Fault::Torn), true),
            ("\"b\" ,c", Some(Fault::Torn), false),
            ("a,\"oops\nq,\"fine\"", Some(Fault::Torn), true),
        ] {
            let quotes = Quotes::of(record.as_bytes());
            assert_eq!((quotes.fault, quotes.bare), (fault, bare), "{record:?}");
        }
    }
}
