//! As much of HTTP/1.1 as a scrape needs, with a limit on everything that a client decides.

use core::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// How long one exchange may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest request that is read.
const LONGEST: usize = 8 * 1024;

/// What a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    /// The page.
    Page,
    /// The page's headers.
    Head,
    /// Something else, and what it is told.
    Refused(Status),
}

/// The first line of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Status(&'static str);

pub(super) const OK: Status = Status("200 OK");
pub(super) const FAILED: Status = Status("500 Internal Server Error");
const BAD: Status = Status("400 Bad Request");
const NOT_FOUND: Status = Status("404 Not Found");
const WRONG_METHOD: Status = Status("405 Method Not Allowed");
const TOO_LONG: Status = Status("431 Request Header Fields Too Large");

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// One connection, whose every step is due at the same time, so that no client holds up the next
/// one for longer, however slowly it reads or writes.
pub(super) struct Exchange {
    stream: TcpStream,
    deadline: Instant,
}

impl Exchange {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            deadline: Instant::now() + PATIENCE,
        }
    }

    fn left(&self) -> io::Result<Duration> {
        match self.deadline.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(ErrorKind::TimedOut.into()),
            left => Ok(left),
        }
    }

    /// Reads to the end of the request's head.
    pub(super) fn request(&mut self) -> io::Result<Request> {
        let mut head = Vec::new();
        let mut piece = [0; 1024];
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            if head.len() > LONGEST {
                return Ok(Request::Refused(TOO_LONG));
            }
            self.stream.set_read_timeout(Some(self.left()?))?;
            match self.stream.read(&mut piece) {
                Ok(0) => return Ok(Request::Refused(BAD)),
                Ok(len) => head.extend_from_slice(&piece[..len]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(parse(&head))
    }

    pub(super) fn answer(mut self, status: Status, body: &str, is_head: bool) -> io::Result<()> {
        let mut text = format!(
            "HTTP/1.1 {status}\r\n\
             Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n\
             Content-Length: {}\r\n\
             Connection: close\r\n\r\n",
            body.len()
        );
        if !is_head {
            text.push_str(body);
        }
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            self.stream.set_write_timeout(Some(self.left()?))?;
            match self.stream.write(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(len) => rest = &rest[len..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.stream.shutdown(Shutdown::Write)
    }
}

/// What the head of a request asks for.
fn parse(head: &[u8]) -> Request {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let Some(target) = target.filter(|_| version.is_some_and(|one| one.starts_with(b"HTTP/1.")))
    else {
        return Request::Refused(BAD);
    };
    let path = target.split(|byte| *byte == b'?').next();
    match (method, path) {
        (Some(b"GET"), Some(b"/metrics" | b"/")) => Request::Page,
        (Some(b"HEAD"), Some(b"/metrics" | b"/")) => Request::Head,
        (Some(b"GET" | b"HEAD"), _) => Request::Refused(NOT_FOUND),
        _ => Request::Refused(WRONG_METHOD),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart() {
        let parse = |head: &str| parse(head.as_bytes());
        assert_eq!(
            parse("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"),
            Request::Page
        );
        assert_eq!(parse("GET /metrics?x=1 HTTP/1.0\r\n\r\n"), Request::Page);
        assert_eq!(parse("HEAD / HTTP/1.1\r\n\r\n"), Request::Head);
        assert_eq!(
            parse("GET /etc/passwd HTTP/1.1\r\n\r\n"),
            Request::Refused(NOT_FOUND)
        );
        assert_eq!(
            parse("POST /metrics HTTP/1.1\r\n\r\n"),
            Request::Refused(WRONG_METHOD)
        );
        assert_eq!(parse("GET /metrics\r\n\r\n"), Request::Refused(BAD));
        assert_eq!(parse("\r\n\r\n"), Request::Refused(BAD));
        assert_eq!(parse("\u{0}\u{1}\r\n\r\n"), Request::Refused(BAD));
    }
}
