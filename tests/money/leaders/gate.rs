//! A proxy before the cloud that can stop accepting connections. A client that connects then waits: its connection is neither
//! made nor refused, as with a machine that does not answer.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The kernel makes this many connections that nobody has accepted, and one more; further clients wait.
const BACKLOG: u32 = 8;
/// On one machine a connection that takes longer than this is not made.
const NOT_MADE: Duration = Duration::from_millis(500);

/// Local ports of clients.
type Ports = Arc<Mutex<BTreeSet<u16>>>;

/// The proxy; it lasts as long as the test.
pub struct Gate {
    address: SocketAddr,
    cloud: SocketAddr,
    listener: Arc<TcpListener>,
    /// Accepts connections while the gate is open.
    accepting: Option<JoinHandle<()>>,
    /// Connections that fill the backlog while the gate is closed.
    backlog: Vec<TcpStream>,
    connected: Ports,
    sent: Ports,
}

impl Gate {
    /// An open gate to the cloud at this address.
    pub fn to(cloud: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let listener = Arc::new(socket.listen(BACKLOG).unwrap());
        let address = listener.local_addr().unwrap();
        let (connected, sent) = (Ports::default(), Ports::default());
        let mut gate = Self { address, cloud, listener, accepting: None, backlog: Vec::new(), connected, sent };
        gate.open();
        gate
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Accepts connections, also those of clients that wait.
    #[allow(clippy::disallowed_methods)] // it ends with the test
    pub fn open(&mut self) {
        self.backlog.clear();
        let (connected, sent) = (Arc::clone(&self.connected), Arc::clone(&self.sent));
        self.accepting = Some(tokio::spawn(accept(Arc::clone(&self.listener), self.cloud, connected, sent)));
    }

    /// Accepts no more connections. Those that are made stay.
    pub async fn close(&mut self) {
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            let _ = accepting.await;
        }
        while let Ok(made) = timeout(NOT_MADE, TcpStream::connect(self.address)).await {
            self.backlog.push(made.unwrap());
        }
    }

    /// Ports of the clients that wait for their connection (state SYN-SENT).
    pub fn waiting(&self) -> Vec<u16> {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let port = |end: &str| u16::from_str_radix(end.rsplit(':').next().unwrap(), 16).unwrap();
        let waiting = table.lines().skip(1).filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (here, there, state) = (fields[1], fields[2], fields[3]);
            (state == "02" && port(there) == self.address.port()).then(|| port(here))
        });
        waiting.collect()
    }

    /// Whether the connection from this port was made.
    pub fn has_connected(&self, port: u16) -> bool {
        self.connected.lock().unwrap().contains(&port)
    }

    /// Whether a single byte came on it.
    pub fn has_sent(&self, port: u16) -> bool {
        self.sent.lock().unwrap().contains(&port)
    }
}

#[allow(clippy::disallowed_methods)] // they end with the test, or with their connection
async fn accept(listener: Arc<TcpListener>, cloud: SocketAddr, connected: Ports, sent: Ports) {
    loop {
        let (client, from) = listener.accept().await.unwrap();
        connected.lock().unwrap().insert(from.port());
        tokio::spawn(forward(client, from.port(), cloud, Arc::clone(&sent)));
    }
}

/// Connects a client to the cloud once it sends something.
async fn forward(mut client: TcpStream, port: u16, cloud: SocketAddr, sent: Ports) {
    let mut first = [0_u8; 1];
    if !matches!(client.peek(&mut first).await, Ok(1)) {
        return;
    }
    sent.lock().unwrap().insert(port);
    let Ok(mut server) = TcpStream::connect(cloud).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let _ = copy_bidirectional(&mut client, &mut server).await;
}
