//! E11: values of unmapped columns that look like e-mail addresses or telephone numbers. Pure.
//!
//! Metadata stays after anonymization, so a column that was forgotten in `--map` would keep what the
//! tenant wants gone. A guess is good enough for a warning; it refuses nothing.

/// What the values of one metadata column looked like.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Looks {
    values: u64,
    /// Addresses, and numbers that begin with `+`.
    certain: u64,
    /// Anything that could be a telephone number.
    likely: u64,
}

impl Looks {
    /// Takes the next value; not empty.
    pub(super) fn see(&mut self, value: &str) {
        self.values += 1;
        if is_certain(value) || holds_certain(value) {
            self.certain += 1;
        } else if is_telephone(value) {
            self.likely += 1;
        }
    }

    /// Whether to warn: one certain value is enough; of the likely ones it takes half of all, since
    /// an order number may look like a telephone number now and then.
    pub(super) fn personal(self) -> bool {
        self.certain > 0 || (self.likely > 0 && self.likely * 2 >= self.values)
    }
}

fn is_certain(value: &str) -> bool {
    is_address(value) || (is_telephone(value) && value.trim_start().starts_with('+'))
}

/// A value of several lines may be lines of the file that a quotation mark swallowed, with all that
/// stands in them.
fn holds_certain(value: &str) -> bool {
    let part_end = |c: char| c.is_whitespace() || ",;:\"<>()".contains(c);
    value.contains(['\n', '\r'])
        && (value.split(['\n', '\r', ',', ';']).any(is_certain)
            || value.split(part_end).any(is_address))
}

fn is_address(value: &str) -> bool {
    let value = value.trim();
    if value.chars().any(char::is_whitespace) {
        return false;
    }
    value.rsplit_once('@').is_some_and(|(local, domain)| {
        let dotted = domain.trim_matches('.').contains('.');
        !local.is_empty() && dotted
    })
}

fn is_telephone(value: &str) -> bool {
    let value = value.trim();
    if value.len() > 40 {
        return false;
    }
    let allowed = |c: char| c.is_ascii_digit() || " \u{A0}+-().\u{2F}".contains(c);
    let digits = value.chars().filter(char::is_ascii_digit).count();
    if !(6..=15).contains(&digits) || !value.chars().all(allowed) {
        return false;
    }
    let groups: Vec<&str> = value
        .split(|c: char| !c.is_ascii_digit())
        .filter(|group| !group.is_empty())
        .collect();
    if is_date(value, &groups) {
        return false;
    }
    if value.starts_with(['+', '0', '(']) {
        return digits >= 7 && !value.starts_with("0.");
    }
    // Bare digits are a number of something; a decimal point makes them an amount.
    let amount = groups.len() == 2 && value.contains('.');
    groups.len() >= 2 && !amount && groups.iter().all(|group| group.len() >= 2)
}

/// Three numbers between two equal separators: `3/29/1982`, `2024-02-29`.
fn is_date(value: &str, groups: &[&str]) -> bool {
    let [first, second, third] = groups else {
        return false;
    };
    let separators: Vec<char> = value.chars().filter(|c| !c.is_ascii_digit()).collect();
    let year_last = first.len() <= 2 && third.len() == 4;
    let year_first = first.len() == 4 && third.len() <= 2;
    matches!(separators[..], [one, other] if one == other && "-/.".contains(one))
        && second.len() <= 2
        && (year_last || year_first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn personal(values: &[&str]) -> bool {
        let mut looks = Looks::default();
        values.iter().for_each(|value| looks.see(value));
        looks.personal()
    }

    #[test]
    fn e11_addresses_and_numbers_are_seen() {
        for values in [
            &["ann@example.be"][..],
            &["", "x", "y", "z", "rené@café.example"],
            &["+32 2 555 12 12", "n/a", "n/a", "n/a"],
            &["082 490 1693", "025551212"],
            &["(02) 555 12 12"],
            &["84 23 30", "445 6271"],
            &["02.64.62.52.37"],
            &["x", "oops\nu1@b.example,x\nu2@b.example,"],
            &["x", "y", "dear all,\nwrite to <ann@example.be>"],
            &["x", "y", "call\r\n+32 475 55 12 12"],
        ] {
            assert!(personal(values), "{values:?}");
        }
    }

    #[test]
    fn e11_other_values_are_not() {
        for values in [
            &["3/29/1982", "01/02/2024", "2024-02-29", "29.02.2024"][..],
            &["1234567", "20240229"],
            &["1250000.50", "0.1234567"],
            &["B-1050 Brussels", "1050"],
            &["two\nlines", "3\n4"],
            &["@handle", "see a@b.c for more", "me@home"],
            &["082 490 1693", "Sales", "Support"],
        ] {
            assert!(!personal(values), "{values:?}");
        }
    }
}
