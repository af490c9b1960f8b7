//! Dependencies between rooms, and between the files of a room, have one direction.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::support::statements::sources;

type Arrows = BTreeMap<String, BTreeSet<String>>;

/// Crates and rooms that every room may know: see the first row of the table.
const CRATES: [&str; 2] = ["entity", "migration"];

/// The words in backquotes of a cell, without path and ending.
fn names_of(cell: &str) -> BTreeSet<String> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted
        .map(|name| {
            name.trim_start_matches("src/")
                .trim_end_matches(".rs")
                .to_owned()
        })
        .collect()
}

/// The code of a file without comments and without its tests.
fn code(file: &Path) -> String {
    let text = std::fs::read_to_string(file).expect("a source file");
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// The words that follow `start` anywhere in `code`.
fn words_after(code: &str, start: &str) -> Vec<String> {
    code.match_indices(start)
        .map(|(at, _)| {
            let rest = &code[at + start.len()..];
            rest.chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

/// The part of a path below `root` that names its room or its part of a room.
fn part_of(root: &Path, file: &Path) -> String {
    let below = file.strip_prefix(root).expect("below the root");
    let first = below.components().next().expect("a name");
    let name = first.as_os_str().to_string_lossy().into_owned();
    name.trim_end_matches(".rs").to_owned()
}

/// Which part uses which, by `crate::` paths, and by `super::` paths of files that stand directly in `root`.
fn arrows_in(root: &Path, prefix: &str, homes: &BTreeMap<String, String>) -> Arrows {
    let mut files = Vec::new();
    sources(root, &mut files);
    let mut arrows = Arrows::new();
    for file in files {
        let part = part_of(root, &file);
        if ["mod", "lib", "main", "tests"].contains(&part.as_str()) || file.ends_with("tests.rs") {
            continue;
        }
        let code = code(&file);
        let mut used = words_after(&code, prefix);
        if file.parent() == Some(root) {
            used.extend(words_after(&code, "super::"));
        }
        let used = used
            .into_iter()
            .map(|name| homes.get(&name).cloned().unwrap_or(name));
        let others = used.filter(|name| *name != part && is_part(root, name));
        arrows.entry(part.clone()).or_default().extend(others);
    }
    arrows
}

fn is_part(root: &Path, name: &str) -> bool {
    !name.is_empty() && (root.join(name).is_dir() || root.join(format!("{name}.rs")).is_file())
}

#[test]
fn rooms_know_the_rooms_that_the_table_of_architecture_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/architecture.md")).expect("the page");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .skip_while(|line| !line.starts_with("| room | "))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() > 10, "the table was not found");
    let common = names_of(rows[0][1]);
    let arrows = arrows_in(&root.join("src"), "crate::", &BTreeMap::new());
    let mut told = BTreeSet::new();
    for row in &rows {
        for room in names_of(row[1]) {
            told.insert(room.clone());
            if row[3] == "all of them" || CRATES.contains(&room.as_str()) {
                continue;
            }
            let known = arrows.get(&room).cloned().unwrap_or_default();
            let known: BTreeSet<String> = known.difference(&common).cloned().collect();
            let said: BTreeSet<String> = names_of(row[3]).difference(&common).cloned().collect();
            assert_eq!(known, said, "what {room} knows, and what the table says");
        }
    }
    for room in arrows.keys() {
        assert!(told.contains(room), "{room} is not in the table");
    }
}

#[test]
fn no_arrow_between_rooms_or_in_a_room_points_back() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rooms = arrows_in(&root, "crate::", &BTreeMap::new());
    require_one_way("src", &rooms);
    let mut seen = 0;
    for room in rooms.keys().filter(|room| root.join(room).is_dir()) {
        let folder = root.join(room);
        let page = std::fs::read_to_string(folder.join("mod.rs")).unwrap_or_default();
        // What a room lends its folders' files to others by.
        let mut homes = BTreeMap::new();
        for line in page.lines() {
            let Some((home, names)) = line
                .strip_prefix("pub use ")
                .and_then(|rest| rest.split_once("::"))
            else {
                continue;
            };
            for name in names.split([',', '{', '}', ';', ' ']) {
                if !name.is_empty() && folder.join(home).is_dir() {
                    homes.insert(name.to_owned(), home.to_owned());
                }
            }
        }
        let arrows = arrows_in(&folder, &format!("crate::{room}::"), &homes);
        seen += arrows.values().map(BTreeSet::len).sum::<usize>();
        require_one_way(room, &arrows);
    }
    assert!(seen > 100, "{seen} arrows: the sources were not understood");
}

/// Takes away, again and again, what uses nothing that is left; a circle stays.
fn require_one_way(place: &str, arrows: &Arrows) {
    let mut left = arrows.clone();
    loop {
        let ended: BTreeSet<String> = left
            .iter()
            .filter(|(_, used)| used.iter().all(|name| !left.contains_key(name)))
            .map(|(name, _)| name.clone())
            .collect();
        if ended.is_empty() {
            break;
        }
        left.retain(|name, _| !ended.contains(name));
    }
    assert!(left.is_empty(), "a circle in {place}: {left:?}");
}
