//! A door before the cloud. While it is shut, whoever comes stands before it: his connection is neither made nor refused,
//! as on the way to a machine that does not answer.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The kernel makes so many connections that nobody has accepted, and one more; whoever asks for another waits.
const BACKLOG: u32 = 8;
/// On one machine a connection that is not made within this is not made at all.
const NOT_MADE: Duration = Duration::from_millis(500);

/// Ports that visitors come from.
type Ports = Arc<Mutex<BTreeSet<u16>>>;

/// The door; it lasts as long as the test.
pub struct Door {
    address: SocketAddr,
    cloud: SocketAddr,
    listener: Arc<TcpListener>,
    usher: Option<JoinHandle<()>>,
    /// Those who fill the backlog while the door is shut.
    crowd: Vec<TcpStream>,
    came: Ports,
    spoke: Ports,
}

impl Door {
    /// An open door to the cloud at this address.
    pub fn to(cloud: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let listener = Arc::new(socket.listen(BACKLOG).unwrap());
        let address = listener.local_addr().unwrap();
        let (came, spoke) = (Ports::default(), Ports::default());
        let mut door = Self { address, cloud, listener, usher: None, crowd: Vec::new(), came, spoke };
        door.open();
        door
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets everybody in, also those who stand before it.
    #[allow(clippy::disallowed_methods)] // it ends with the test
    pub fn open(&mut self) {
        self.crowd.clear();
        let (came, spoke) = (Arc::clone(&self.came), Arc::clone(&self.spoke));
        self.usher = Some(tokio::spawn(usher(Arc::clone(&self.listener), self.cloud, came, spoke)));
    }

    /// Lets nobody in any more. Those who are in stay.
    pub async fn shut(&mut self) {
        if let Some(usher) = self.usher.take() {
            usher.abort();
            let _ = usher.await;
        }
        while let Ok(made) = timeout(NOT_MADE, TcpStream::connect(self.address)).await {
            self.crowd.push(made.unwrap());
        }
    }

    /// The ports of those who stand before it: they have asked for a connection, and nobody has answered (SYN-SENT).
    pub fn standing_before(&self) -> Vec<u16> {
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
    pub fn has_come(&self, port: u16) -> bool {
        self.came.lock().unwrap().contains(&port)
    }

    /// Whether a single byte came on it.
    pub fn has_spoken(&self, port: u16) -> bool {
        self.spoke.lock().unwrap().contains(&port)
    }
}

#[allow(clippy::disallowed_methods)] // they end with the test, or with their connection
async fn usher(listener: Arc<TcpListener>, cloud: SocketAddr, came: Ports, spoke: Ports) {
    loop {
        let (visitor, from) = listener.accept().await.unwrap();
        came.lock().unwrap().insert(from.port());
        tokio::spawn(lead(visitor, from.port(), cloud, Arc::clone(&spoke)));
    }
}

/// Leads a visitor to the cloud once he says something.
async fn lead(mut visitor: TcpStream, port: u16, cloud: SocketAddr, spoke: Ports) {
    let mut first = [0_u8; 1];
    if !matches!(visitor.peek(&mut first).await, Ok(1)) {
        return;
    }
    spoke.lock().unwrap().insert(port);
    let Ok(mut within) = TcpStream::connect(cloud).await else { return };
    let _ = (visitor.set_nodelay(true), within.set_nodelay(true));
    let _ = copy_bidirectional(&mut visitor, &mut within).await;
}
