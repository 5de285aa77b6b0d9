use crate::scene::{expected, scene};
use corecast::prometheus::{Endpoint, EndpointError, Exposition};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What a server answers: the status line, the headers and the body.
struct Answer {
    status: String,
    headers: String,
    body: String,
}

fn exchange(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let (status, headers) = head.split_once("\r\n").unwrap();
    Answer {
        status: status.to_owned(),
        headers: headers.to_owned(),
        body: body.to_owned(),
    }
}

fn get(address: SocketAddr, path: &str) -> Answer {
    exchange(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    )
}

/// Name and labels of a sample, in the order of the labels' names.
type Series = (String, BTreeMap<String, String>);

/// Reads Prometheus' text format (version 0.0.4), strictly: a family's help and type come before
/// its samples, which are together; no series occurs twice.
fn parse(page: &str) -> BTreeMap<Series, f64> {
    let mut samples = BTreeMap::new();
    let mut seen = Vec::new();
    let mut helped = None;
    let mut family: Option<(String, String)> = None;
    assert!(page.ends_with('\n'), "the last line ends");
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(!help.is_empty() && !help.contains('\\'));
            assert!(!seen.contains(&name), "{name} is in one piece");
            seen.push(name);
            helped = Some(name);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(helped, Some(name));
            assert!(matches!(kind, "counter" | "gauge"), "{kind}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
            family = Some((name.to_owned(), kind.to_owned()));
        } else {
            let (name, labels, value) = sample(line);
            assert_eq!(family.as_ref().map(|family| &family.0), Some(&name));
            let value: f64 = value.parse().unwrap();
            assert!(value.is_finite() && value >= 0.0, "{line}");
            let twice = samples.insert((name, labels), value);
            assert!(twice.is_none(), "{line} occurs once");
        }
    }
    samples
}

/// `name{label="value",…} value`.
fn sample(line: &str) -> (String, BTreeMap<String, String>, &str) {
    let end = line.find(['{', ' ']).unwrap();
    let (name, mut rest) = line.split_at(end);
    assert!(
        name.chars().all(|c| c.is_ascii_lowercase() || c == '_'),
        "{name}"
    );
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap();
            let (value, after) = quoted(after);
            assert!(labels.insert(label.to_owned(), value).is_none());
            match after.split_at(1) {
                (",", after) => rest = after,
                ("}", after) => {
                    rest = after;
                    break;
                }
                other => panic!("{other:?} in {line}"),
            }
        }
    }
    (name.to_owned(), labels, rest.strip_prefix(' ').unwrap())
}

/// A label's value up to its closing quote, and what follows.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.push(match characters.next().unwrap().1 {
                'n' => '\n',
                other @ ('\\' | '"') => other,
                other => panic!("\\{other} is no escape"),
            }),
            other => value.push(other),
        }
    }
    panic!("{text:?} is not closed");
}

#[test]
fn a_scrape_shows_every_value_of_the_snapshots_and_nothing_else() {
    let shown = scene();
    let expected = expected(&shown);
    let endpoint = Endpoint::serve("127.0.0.1:0", move |page| {
        page.engine("main", &shown.engine);
        page.signal(&shown.orders);
        page.breaker(&shown.breaker);
    })
    .unwrap();
    let answer = get(endpoint.local_addr(), "/metrics");
    assert_eq!(answer.status, "HTTP/1.1 200 OK");
    assert!(answer.headers.contains("text/plain; version=0.0.4"));
    assert!(
        answer
            .headers
            .contains(&format!("Content-Length: {}", answer.body.len()))
    );
    let samples = parse(&answer.body);
    for (name, labels, value) in &expected {
        let labels = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let shown = samples.get(&(name.clone(), labels));
        assert_eq!(shown, Some(value), "{name}");
    }
    assert_eq!(samples.len(), expected.len());
}

#[test]
fn each_scrape_is_of_its_own_moment() {
    let engine = corecast::Engine::builder().manual().build().unwrap();
    let signal = engine.signal::<u64>("ticks").build().unwrap();
    let endpoint = {
        let engine = engine.clone();
        Endpoint::serve("127.0.0.1:0", move |page| {
            page.engine("e", &engine.metrics())
        })
        .unwrap()
    };
    for n in 0..3 {
        let samples = parse(&get(endpoint.local_addr(), "/metrics").body);
        let emitted: f64 = samples
            .iter()
            .filter(|((name, _), _)| name == "corecast_signal_emitted_total")
            .map(|(_, value)| value)
            .sum();
        assert_eq!(emitted, f64::from(n));
        signal.emit(0).unwrap();
    }
}

#[test]
fn requests_that_are_no_scrape_are_told_so_and_the_next_one_is_served() {
    let endpoint = Endpoint::serve("127.0.0.1:0", |_| {}).unwrap();
    let address = endpoint.local_addr();
    assert_eq!(
        get(address, "/favicon.ico").status,
        "HTTP/1.1 404 Not Found"
    );
    let post = exchange(address, "POST /metrics HTTP/1.1\r\n\r\n");
    assert_eq!(post.status, "HTTP/1.1 405 Method Not Allowed");
    assert_eq!(
        exchange(address, "nonsense\r\n\r\n").status,
        "HTTP/1.1 400 Bad Request"
    );
    let head = exchange(address, "HEAD /metrics HTTP/1.1\r\n\r\n");
    assert_eq!((&*head.status, &*head.body), ("HTTP/1.1 200 OK", ""));
    // Goes away without a word.
    drop(TcpStream::connect(address).unwrap());
    let endless = "x".repeat(9 * 1024);
    assert_eq!(
        exchange(address, &endless).status,
        "HTTP/1.1 431 Request Header Fields Too Large"
    );
    assert_eq!(get(address, "/metrics").status, "HTTP/1.1 200 OK");
}

#[test]
fn a_client_that_says_nothing_does_not_hold_up_the_next_one_for_ever() {
    let endpoint = Endpoint::serve("127.0.0.1:0", |_| {}).unwrap();
    let silent = TcpStream::connect(endpoint.local_addr()).unwrap();
    let start = Instant::now();
    assert_eq!(
        get(endpoint.local_addr(), "/metrics").status,
        "HTTP/1.1 200 OK"
    );
    assert!(start.elapsed() < Duration::from_secs(20));
    drop(silent);
}

#[test]
fn a_page_that_panics_is_an_error_and_the_next_one_is_served() {
    let mut scrapes = 0;
    let endpoint = Endpoint::serve("127.0.0.1:0", move |_| {
        scrapes += 1;
        assert!(scrapes > 1, "not yet");
    })
    .unwrap();
    let failed = get(endpoint.local_addr(), "/metrics");
    assert_eq!(failed.status, "HTTP/1.1 500 Internal Server Error");
    assert!(failed.body.contains("not yet"), "{}", failed.body);
    assert_eq!(
        get(endpoint.local_addr(), "/metrics").status,
        "HTTP/1.1 200 OK"
    );
}

#[test]
fn dropping_the_endpoint_frees_its_address_and_what_the_closure_holds() {
    let held = std::sync::Arc::new(());
    let endpoint = {
        let held = held.clone();
        Endpoint::serve("0.0.0.0:0", move |_| drop(held.clone())).unwrap()
    };
    let port = endpoint.local_addr().port();
    drop(endpoint);
    assert_eq!(std::sync::Arc::strong_count(&held), 1);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn an_address_that_is_none_or_taken_is_named() {
    let error = Endpoint::serve("nowhere", |_| {}).unwrap_err();
    assert!(error.to_string().contains("\"nowhere\""), "{error}");
    let first = Endpoint::serve("127.0.0.1:0", |_| {}).unwrap();
    let address = first.local_addr().to_string();
    let error = Endpoint::serve(&address, |_| {}).unwrap_err();
    assert!(matches!(error, EndpointError::Listen { .. }));
    assert!(error.to_string().contains(&address), "{error}");
}

#[test]
fn an_empty_page_is_empty() {
    assert_eq!(Exposition::new().to_string(), "");
}
