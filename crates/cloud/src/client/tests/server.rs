//! A server that answers what it is told to, on a real socket, and remembers what it was asked.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Mutex;

use futures::future::{Either, pending, select};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone)]
pub(super) enum Reply {
    /// These bytes, then the connection ends.
    Raw(String),
    /// An answer; the connection stays.
    Whole { status: u16, content_type: String, date: String, body: String },
    /// A head that promises more than comes.
    CutOff,
    /// The connection ends without an answer.
    Close,
    /// The connection is reset after a part of the answer.
    Reset,
    /// Nothing comes, and the connection stays.
    Silence,
}

impl Reply {
    pub(super) fn status(status: u16, body: &str) -> Self {
        Self::Whole {
            status,
            content_type: "application/json".into(),
            date: "Thu, 01 Jan 2026 00:00:00 GMT".into(),
            body: body.into(),
        }
    }

    pub(super) fn json(value: Value) -> Self {
        Self::status(200, &value.to_string())
    }

    pub(super) fn with_status(mut self, new: u16) -> Self {
        if let Self::Whole { status, .. } = &mut self {
            *status = new;
        }
        self
    }

    pub(super) fn with_content_type(mut self, new: &str) -> Self {
        if let Self::Whole { content_type, .. } = &mut self {
            *content_type = new.into();
        }
        self
    }

    pub(super) fn with_date(mut self, new: &str) -> Self {
        if let Self::Whole { date, .. } = &mut self {
            *date = new.into();
        }
        self
    }
}

#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) connection: usize,
    pub(super) line: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

pub(super) struct Server {
    listener: TcpListener,
    replies: Mutex<VecDeque<Reply>>,
    requests: Mutex<Vec<Request>>,
    /// Connections that are open between calls, with their numbers.
    open: Mutex<Vec<(usize, TcpStream)>>,
    accepted: Mutex<usize>,
}

impl Server {
    pub(super) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            replies: Mutex::new(replies.into_iter().collect()),
            requests: Mutex::default(),
            open: Mutex::default(),
            accepted: Mutex::new(0),
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    pub(super) fn only_request(&self) -> Request {
        let requests = self.requests();
        assert_eq!(requests.len(), 1);
        requests[0].clone()
    }

    /// Everything that came in and was not yet read, once the other side has closed all its connections.
    pub(super) async fn leftover(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let open = std::mem::take(&mut *self.open.lock().unwrap());
        for (_, mut stream) in open {
            stream.read_to_end(&mut bytes).await.unwrap();
        }
        while let Some(Ok((mut stream, _))) = self.listener.accept().now_or_never() {
            stream.read_to_end(&mut bytes).await.unwrap();
        }
        bytes
    }

    /// Serves for as long as the call takes. No task of its own: both run on the test's.
    pub(super) async fn serve<T>(&self, call: impl Future<Output = T>) -> T {
        let (call, serving) = (Box::pin(call), Box::pin(self.run()));
        match select(call, serving).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => unreachable!("the server never ends"),
        }
    }

    async fn run(&self) {
        let mut connections: FuturesUnordered<_> = self
            .open
            .lock()
            .unwrap()
            .drain(..)
            .map(|(number, stream)| Box::pin(self.connection(Parked { server: self, number, stream: Some(stream) })))
            .collect();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    let (stream, _) = accepted.unwrap();
                    let number = {
                        let mut count = self.accepted.lock().unwrap();
                        *count += 1;
                        *count - 1
                    };
                    connections.push(Box::pin(self.connection(Parked { server: self, number, stream: Some(stream) })));
                }
                Some(()) = connections.next() => {}
            }
        }
    }

    async fn connection(&self, mut parked: Parked<'_>) {
        while let Some(request) = parked.read().await {
            self.requests.lock().unwrap().push(request);
            let reply = self.replies.lock().unwrap().pop_front().expect("a reply is left");
            match reply {
                Reply::Whole { status, content_type, date, body } => {
                    let length = body.len();
                    let head = format!(
                        "HTTP/1.1 {status} S\r\nDate: {date}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
                    );
                    if parked.stream().write_all(format!("{head}{body}").as_bytes()).await.is_err() {
                        break;
                    }
                }
                Reply::Raw(text) => {
                    let _ = parked.stream().write_all(text.as_bytes()).await;
                    break;
                }
                Reply::CutOff => {
                    let text = "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"Response\":";
                    let _ = parked.stream().write_all(text.as_bytes()).await;
                    break;
                }
                Reply::Close => break,
                Reply::Reset => {
                    let _ = parked.stream().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{").await;
                    let _ = parked.stream().set_zero_linger();
                    break;
                }
                Reply::Silence => pending().await,
            }
        }
        parked.stream = None;
    }
}

/// A connection that goes back to the server when its call is over before it is.
struct Parked<'a> {
    server: &'a Server,
    number: usize,
    stream: Option<TcpStream>,
}

impl Parked<'_> {
    fn stream(&mut self) -> &mut TcpStream {
        self.stream.as_mut().unwrap()
    }

    /// One request; `None` when the connection ends, or is no HTTP.
    async fn read(&mut self) -> Option<Request> {
        let connection = self.number;
        let stream = self.stream();
        let mut bytes = Vec::new();
        let head = loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            if bytes.first().is_some_and(|first| *first != b'P') {
                return None;
            }
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk).await {
                Ok(count) if count > 0 => bytes.extend_from_slice(&chunk[..count]),
                _ => return None,
            }
        };
        let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
        let mut lines = text.lines();
        let line = lines.next().unwrap().to_owned();
        let headers: Vec<_> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let length: usize = headers.iter().find(|(name, _)| name == "content-length").unwrap().1.parse().unwrap();
        let mut body = bytes[head + 4..].to_vec();
        while body.len() < length {
            let mut chunk = vec![0; length - body.len()];
            let count = stream.read(&mut chunk).await.unwrap();
            body.extend_from_slice(&chunk[..count]);
        }
        Some(Request { connection, line, headers, body: String::from_utf8(body).unwrap() })
    }
}

impl Drop for Parked<'_> {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            self.server.open.lock().unwrap().push((self.number, stream));
        }
    }
}
