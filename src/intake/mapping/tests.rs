use super::*;

fn options(map: &[&str]) -> Result<MappingOptions, IntakeError> {
    let mut options = MappingOptions::default();
    for text in map {
        options.add(text)?;
    }
    Ok(options)
}

fn targets(header: &[&str], map: &[&str]) -> Result<Vec<Target>, String> {
    let header: Vec<&[u8]> = header.iter().map(|name| name.as_bytes()).collect();
    options(map)
        .and_then(|options| Mapping::of(&header, &options))
        .map(|mapping| mapping.targets)
        .map_err(|error| error.to_string())
}

#[test]
fn columns_named_like_fields_are_those_fields_unless_mapped() {
    use Target::{Field, Metadata};
    assert_eq!(
        targets(&["email", "Team", "phone"], &[]),
        Ok(vec![Field(2), Metadata, Field(3)])
    );
    assert_eq!(
        targets(&["email", "Mail"], &["email=Mail"]),
        Ok(vec![Metadata, Field(2)])
    );
    assert_eq!(
        targets(&["email", "last_name"], &["customer_id=email"]),
        Ok(vec![Field(4), Field(1)])
    );
}

#[test]
fn e08_the_columns_of_a_rejects_file_are_left_out_unless_mapped() {
    use Target::{Field, LeftOut, Metadata};
    assert_eq!(
        targets(&["line", "reason", "email"], &[]),
        Ok(vec![LeftOut, LeftOut, Field(2)])
    );
    assert_eq!(
        targets(&["line", "reason", "line", "reason", "email"], &[]),
        Ok(vec![LeftOut, LeftOut, LeftOut, LeftOut, Field(2)])
    );
    assert_eq!(
        targets(&["line", "reason", "email"], &["customer_id=line"]),
        Ok(vec![Field(4), Metadata, Field(2)])
    );
    for header in [["email", "line", "reason"], ["reason", "line", "email"]] {
        let targets = targets(&header, &[]).expect("taken");
        assert!(!targets.contains(&LeftOut));
    }
}

#[test]
fn e08_headers_that_are_refused() {
    let long = "x".repeat(256);
    for (header, map, part) in [
        (&["email"][..], &["email=Mail"][..], "\"Mail\""),
        (&["email", "a", "a"], &[], "columns 2 and 3"),
        (&["email"], &["mail=email"], "\"mail\" is no field"),
        (&["a"], &["email=a", "phone=a"], "both email and phone"),
        (&["a", "b"], &["email=a", "email=b"], "email twice"),
        (&["a", "b"], &["email"], "FIELD=COLUMN"),
        (&["a", "b"], &[], "no column"),
        (&["email", ""], &[], "column 2 has no name"),
        (&["email", &long], &[], "column 2 is longer"),
        (&["email", "a\0b"], &[], "column 2 holds a NUL"),
    ] {
        let sentence = targets(header, map).expect_err("refused");
        assert!(sentence.contains(part), "{sentence}");
    }
}

/// What `targets` gives with `--metadata` beside `--map`.
fn with_metadata(header: &[&str], map: &[&str], metadata: &[&str]) -> Result<Vec<Target>, String> {
    let header: Vec<&[u8]> = header.iter().map(|name| name.as_bytes()).collect();
    let mut options = options(map).expect("good options");
    options.metadata = metadata.iter().map(|&name| name.to_owned()).collect();
    Mapping::of(&header, &options)
        .map(|mapping| mapping.targets)
        .map_err(|error| error.to_string())
}

#[test]
fn e15_a_header_that_is_almost_a_field_is_refused() {
    for name in [
        " first_name",
        "first_name ",
        "FIRST_NAME",
        "First-Name",
        "first name",
        "firstname",
        "FirstName",
        "first.name",
        "first_name:",
        "\u{A0}first_name",
        "\u{FEFF}first_name",
        "first\u{200B}_name",
        "first_\u{AD}name",
        "ｆｉｒｓｔ＿ｎａｍｅ",
        "F\u{130}RST_NAME",
        "f\u{131}rst_name",
        "first\u{2010}name",
    ] {
        let sentence = targets(&["email", name], &[]).expect_err("refused");
        assert!(sentence.contains("column 2 of the header"), "{sentence}");
        assert!(sentence.contains("the field first_name"), "{sentence}");
        assert!(sentence.contains("--metadata"), "{sentence}");
    }
    for (name, field) in [
        ("Email", "email"),
        ("E-mail", "email"),
        ("lastname", "last_name"),
        ("PHONE", "phone"),
        ("customerid", "customer_id"),
        ("CustomerID", "customer_id"),
        ("Customer ID", "customer_id"),
    ] {
        let sentence = targets(&["Team", name], &[]).expect_err("refused");
        assert!(
            sentence.contains(&format!("the field {field};")),
            "{sentence}"
        );
    }
    // The field is there already, and yet.
    assert!(targets(&["email", "Email"], &[]).is_err());
    // Behind the columns of a rejects file, too.
    assert!(targets(&["line", "reason", "Email", "phone"], &[]).is_err());
}

#[test]
fn e15_options_say_which_is_meant() {
    use Target::{Field, Metadata};
    let header = ["email", " first_name"];
    for map in [
        "first_name= first_name",
        "first_name=first_name",
        "first_name=FIRST NAME",
    ] {
        assert_eq!(targets(&header, &[map]), Ok(vec![Field(2), Field(0)]));
    }
    for metadata in [" first_name", "first_name"] {
        assert_eq!(
            with_metadata(&header, &[], &[metadata]),
            Ok(vec![Field(2), Metadata])
        );
    }
    // A field's own name, too.
    assert_eq!(
        with_metadata(&["email", "phone"], &[], &["phone"]),
        Ok(vec![Field(2), Metadata])
    );
    // `--map` says which column the field is; the other one is none.
    assert_eq!(
        targets(&["Mail", "Email"], &["email=Mail"]),
        Ok(vec![Field(2), Metadata])
    );
    for (map, metadata, part) in [
        (&[][..], &["nothing"][..], "\"nothing\""),
        (&["phone=email"], &["email"], "both --metadata and"),
        (
            &["first_name=x first_name", "phone=email"],
            &[],
            "\"x first_name\"",
        ),
    ] {
        let sentence = with_metadata(&header, map, metadata).expect_err("refused");
        assert!(sentence.contains(part), "{sentence}");
    }
    let sentence = targets(&["Mail", "MAIL"], &["email=mail"]).expect_err("refused");
    assert!(sentence.contains("columns 1 and 2"), "{sentence}");
    let sentence = targets(&["Mail"], &["email=Mail", "phone=mail"]).expect_err("refused");
    assert!(sentence.contains("both email and phone"), "{sentence}");
}

#[test]
fn e15_other_names_are_metadata() {
    use Target::{Field, Metadata};
    for name in [
        "Team",
        "Phone model",
        "emails",
        "first",
        "name",
        "last visit",
        "EmailAddress",
    ] {
        assert_eq!(targets(&["email", name], &[]), Ok(vec![Field(2), Metadata]));
    }
    let header: Vec<&[u8]> = vec![b"email", b"Team", b" team", b"-", b"--"];
    let mapping = Mapping::of(&header, &MappingOptions::default()).expect("taken");
    assert_eq!(mapping.alike(), [("Team", " team")]);
}
