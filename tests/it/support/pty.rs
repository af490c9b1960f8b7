//! A terminal: what a command writes to it, and what stands on its screen in the end.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::process::Stdio;
use std::thread;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::Binary;

/// What a command did on a terminal.
#[derive(Debug)]
pub struct OnTerminal {
    /// Exit code.
    pub code: i32,
    /// What it wrote to stdout, which is a pipe.
    pub stdout: String,
    /// What it wrote to stderr, which is the terminal.
    pub written: String,
    /// What stands on the screen, row by row.
    pub screen: Vec<String>,
    /// How often a text ran on into the next row.
    pub wrapped: usize,
}

impl Binary {
    /// Runs a command with stderr on a terminal of so many columns.
    pub fn run_on_terminal(&self, arguments: &[&str], columns: u16) -> OnTerminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        grantpt(&master).expect("its rights");
        unlockpt(&master).expect("its other end");
        let size = Winsize {
            ws_row: 50,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&master, size).expect("its size");
        let name = ptsname(&master, Vec::new()).expect("the name of its other end");
        let name = name.into_string().expect("a name in ASCII");
        let terminal = OpenOptions::new().read(true).write(true).open(name);
        let mut child = self
            .command(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(terminal.expect("its other end"))
            .spawn()
            .expect("the binary starts");
        let reader = thread::spawn(move || {
            let (mut master, mut written, mut part) = (File::from(master), Vec::new(), [0; 4096]);
            // Linux reports an error once the other end is closed.
            while let Ok(read @ 1..) = master.read(&mut part) {
                written.extend_from_slice(&part[..read]);
            }
            String::from_utf8(written).expect("the output is UTF-8")
        });
        let mut stdout = String::new();
        let pipe = child.stdout.as_mut().expect("stdout is a pipe");
        pipe.read_to_string(&mut stdout)
            .expect("the pipe can be read");
        let status = child.wait().expect("a child of ours");
        let written = reader.join().expect("the reader of the terminal ends");
        let mut screen = Screen::new(usize::from(columns));
        screen.show(&written);
        OnTerminal {
            code: status.code().expect("it was not killed"),
            stdout,
            written,
            screen: screen
                .rows
                .iter()
                .map(|row| row.iter().collect::<String>())
                .collect(),
            wrapped: screen.wrapped,
        }
    }
}

/// As much of a terminal as a log and a line of progress need. Its screen has no end.
struct Screen {
    columns: usize,
    rows: Vec<Vec<char>>,
    row: usize,
    column: usize,
    wrapped: usize,
}

impl Screen {
    fn new(columns: usize) -> Self {
        Self {
            columns,
            rows: vec![Vec::new()],
            row: 0,
            column: 0,
            wrapped: 0,
        }
    }

    fn show(&mut self, text: &str) {
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                '\r' => self.column = 0,
                '\n' => self.go_to(self.row + 1),
                '\u{1b}' => {
                    assert_eq!(characters.next(), Some('['), "another escape sequence");
                    let mut number = String::new();
                    let last = loop {
                        match characters.next().expect("the end of an escape sequence") {
                            last if last.is_ascii_alphabetic() => break last,
                            character => number.push(character),
                        }
                    };
                    self.obey(last, &number);
                }
                character => self.put(character),
            }
        }
    }

    fn obey(&mut self, last: char, number: &str) {
        let times = number.parse().unwrap_or(1);
        match (last, number) {
            ('m', _) | ('h' | 'l', "?25") => {}
            ('A', _) => self.row = self.row.saturating_sub(times),
            ('B', _) => self.go_to(self.row + times),
            ('G', _) => self.column = times - 1,
            ('K', "" | "0") => self.rows[self.row].truncate(self.column),
            ('K', "2") => self.rows[self.row].clear(),
            ('J', "" | "0") => {
                self.rows.truncate(self.row + 1);
                self.rows[self.row].truncate(self.column);
            }
            _ => panic!("another escape sequence: {number}{last}"),
        }
    }

    fn put(&mut self, character: char) {
        if self.column == self.columns {
            self.wrapped += 1;
            self.column = 0;
            self.go_to(self.row + 1);
        }
        let row = &mut self.rows[self.row];
        if row.len() <= self.column {
            row.resize(self.column + 1, ' ');
        }
        row[self.column] = character;
        self.column += 1;
    }

    fn go_to(&mut self, row: usize) {
        self.row = row;
        if self.rows.len() <= row {
            self.rows.resize(row + 1, Vec::new());
        }
    }
}
