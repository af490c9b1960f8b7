//! What a client says to PostgreSQL or MariaDB, cut into requests: as much of both protocols as it
//! takes to count them and to recognise a COMMIT.

use std::collections::HashMap;

use crate::support::Backend;

/// A client's bytes up to where it waits for an answer.
pub struct Request {
    pub bytes: Vec<u8>,
    pub kind: Kind,
}

/// What a request is for.
pub enum Kind {
    /// Anything that is counted, with its statement or its name.
    Counted(String),
    /// The pool tests a connection that it takes back. It does so from a task of its own, at any
    /// time; counting that would give the same request another number in each run.
    Ping,
    /// The client says good-bye: it gives the connection up.
    Goodbye,
}

/// Cuts one connection's bytes into requests.
pub struct Cutter {
    backend: Backend,
    /// Bytes that are not a whole message yet.
    rest: Vec<u8>,
    /// PostgreSQL: messages up to the next one that asks for an answer.
    pipeline: Vec<u8>,
    statement: Option<String>,
    /// PostgreSQL: texts of the prepared statements, by their names.
    prepared: HashMap<Vec<u8>, String>,
    /// PostgreSQL: before the start-up message, messages have no type.
    started: bool,
}

impl Cutter {
    pub fn new(backend: Backend) -> Self {
        Self {
            backend,
            rest: Vec::new(),
            pipeline: Vec::new(),
            statement: None,
            prepared: HashMap::new(),
            started: false,
        }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
    }

    /// The next whole request, if it has arrived.
    pub fn next(&mut self) -> Option<Request> {
        match self.backend {
            Backend::Postgres => self.next_postgres(),
            _ => self.next_mariadb(),
        }
    }

    fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        (self.rest.len() >= length).then(|| self.rest.drain(..length).collect())
    }

    fn next_postgres(&mut self) -> Option<Request> {
        loop {
            let header = usize::from(self.started);
            let length = self.rest.get(header..header + 4)?;
            let length = u32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
            let message = self.take(header + length)?;
            if !self.started {
                // 196608 is protocol 3.0; anything else asks for encryption first, or cancels.
                self.started = message[4..8] == 196_608_u32.to_be_bytes();
                return Some(Request {
                    bytes: message,
                    kind: Kind::Counted("(start)".to_owned()),
                });
            }
            let (kind, payload) = (message[0], &message[5..]);
            let mut texts = payload.split(|byte| *byte == 0);
            match kind {
                b'P' => {
                    let name = texts.next().unwrap_or_default().to_vec();
                    let text = lossy(texts.next());
                    self.statement = Some(text.clone());
                    self.prepared.insert(name, text);
                }
                b'B' => {
                    let name = texts.nth(1).unwrap_or_default();
                    self.statement = self.prepared.get(name).cloned();
                }
                b'Q' => self.statement = Some(lossy(texts.next())),
                b'p' => self.statement = Some("(password)".to_owned()),
                _ => {}
            }
            self.pipeline.extend_from_slice(&message);
            let kind = match kind {
                b'X' => Kind::Goodbye,
                b'S' if self.pipeline.len() == message.len() => Kind::Ping,
                b'S' | b'Q' | b'p' => Kind::Counted(self.statement.take().unwrap_or_default()),
                _ => continue,
            };
            return Some(Request {
                bytes: std::mem::take(&mut self.pipeline),
                kind,
            });
        }
    }

    fn next_mariadb(&mut self) -> Option<Request> {
        let header = self.rest.get(..4)?;
        let length = u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize;
        let sequence = header[3];
        let packet = self.take(4 + length)?;
        let payload = &packet[4..];
        let kind = match (sequence, payload.first()) {
            (0, Some(0x01)) => Kind::Goodbye,
            (0, Some(0x0e)) => Kind::Ping,
            (0, Some(0x03 | 0x16)) => Kind::Counted(lossy(payload.get(1..))),
            (0, Some(0x17)) => Kind::Counted(format!(
                "(execute {})",
                payload.get(1).copied().unwrap_or_default()
            )),
            (0, _) => Kind::Counted("(other)".to_owned()),
            _ => Kind::Counted("(password)".to_owned()),
        };
        Some(Request {
            bytes: packet,
            kind,
        })
    }
}

fn lossy(bytes: Option<&[u8]>) -> String {
    String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
}
