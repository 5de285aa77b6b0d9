//! A process at one end: told what to do line by line, and answering each with a line.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

pub(crate) const PUBLISHER: &str = "as-publisher";
pub(crate) const RECEIVER: &str = "as-receiver";

/// How long an answer may take: the machine may be busy with something else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// Killed when dropped.
pub(crate) struct Peer {
    child: Child,
    orders: ChildStdin,
    answers: Receiver<String>,
    role: &'static str,
}

impl Peer {
    pub(crate) fn start(role: &'static str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg(role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (told, answers) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if told.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            orders,
            answers,
            role,
        }
    }

    pub(crate) fn tell(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
        self.orders.flush().unwrap();
    }

    /// The next answer's words.
    pub(crate) fn answer(&mut self) -> Vec<String> {
        let line = self
            .answers
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|error| panic!("{} does not answer: {error}", self.role));
        line.split_whitespace().map(ToOwned::to_owned).collect()
    }

    pub(crate) fn ask(&mut self, order: &str) -> Vec<String> {
        self.tell(order);
        self.answer()
    }

    /// Asks for numbers.
    pub(crate) fn numbers<const N: usize>(&mut self, order: &str) -> [u64; N] {
        let words = self.ask(order);
        let numbers: Vec<_> = words.iter().map(|word| word.parse().unwrap()).collect();
        numbers
            .try_into()
            .unwrap_or_else(|_| panic!("{} answers {words:?} to {order}", self.role))
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([name, &self.child.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    /// It does nothing until [`Peer::unfreeze`].
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn unfreeze(&self) {
        self.signal("-CONT");
    }

    /// Ends it at once, whatever it is doing.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert!(!status.success(), "{} ended by itself", self.role);
    }

    /// Lets it end.
    pub(crate) fn end(mut self) {
        assert_eq!(self.ask("end"), ["ended"]);
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has `peer` listen on a free port of the loopback interface; the endpoint. `order` begins with
/// the word that opens, and the endpoint is put behind it.
pub(crate) fn listen(peer: &mut Peer, order: &str) -> String {
    let (word, rest) = order.split_once(' ').unwrap();
    for _ in 0..20 {
        // Free now; another process may take it before the peer does.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("tcp/{}", free.local_addr().unwrap());
        drop(free);
        if peer.ask(&format!("{word} {endpoint} - {rest}")) == ["opened"] {
            return endpoint;
        }
    }
    panic!("no port of the loopback interface can be listened on");
}

/// For a child: its orders, word by word, until the other end is gone.
pub(crate) fn orders() -> impl Iterator<Item = Vec<String>> {
    std::io::stdin().lines().map_while(Result::ok).map(|line| {
        line.split_whitespace()
            .map(ToOwned::to_owned)
            .collect::<Vec<_>>()
    })
}

/// For a child: what it listens on and connects to.
pub(crate) fn endpoints<'a>(listen: &'a str, connect: &'a str) -> [Vec<&'a str>; 2] {
    [listen, connect].map(|one| if one == "-" { Vec::new() } else { vec![one] })
}
