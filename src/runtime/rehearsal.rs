//! The clock of a rehearsal: it follows the clock of a simulator on this machine.

use std::time::Duration;

use axum::http::Uri;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::runtime::clock::Clock;
use crate::runtime::tasks::Tasks;

const PATH: &str = "/simulator/clock";
const POLL: Duration = Duration::from_millis(200);
const ANSWER: Duration = Duration::from_secs(5);
/// Far more than a reading of the clock needs.
const LONGEST_ANSWER: u64 = 64 * 1024;

#[derive(Debug, Deserialize)]
struct Reading {
    now: Timestamp,
    rate: f64,
}

/// A clock that follows the simulator's from its first answer on.
///
/// # Errors
/// When the address is not this machine's own, or does not answer with a clock.
pub async fn follow(url: &str, tasks: &Tasks) -> Result<Clock, String> {
    let address = loopback(url)?;
    let first = read(&address).await.map_err(|error| format!("the rehearsal clock at {url}: {error}"))?;
    tracing::warn!(url, now = %first.now, rate = first.rate, "THIS IS A REHEARSAL: time is taken from a simulator, never run like this with a real account");
    let clock = Clock::rehearsal(first.now, first.rate);
    let followed = clock.clone();
    let task = async move {
        loop {
            sleep(POLL).await;
            match read(&address).await {
                Ok(reading) => followed.see(reading.now, reading.rate),
                Err(error) => {
                    tracing::warn!(error, "the rehearsal clock does not answer: time runs on at its last rate")
                }
            }
        }
    };
    tasks.spawn_background(task);
    Ok(clock)
}

/// `host:port`, if the address is of this machine.
fn loopback(url: &str) -> Result<String, String> {
    let uri: Uri = url.parse().map_err(|error| format!("--rehearsal-clock {url}: {error}"))?;
    let host = uri.host().unwrap_or_default();
    let own = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    if uri.scheme_str() != Some("http") || !own {
        return Err(format!(
            "--rehearsal-clock {url}: only http:// with a loopback address is allowed: real money never follows a simulator's clock"
        ));
    }
    Ok(format!("{host}:{}", uri.port_u16().unwrap_or(80)))
}

/// One request in HTTP/1.0: a clock on the same machine needs no client with TLS.
async fn read(address: &str) -> Result<Reading, String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!("GET {PATH} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer = timeout(ANSWER, exchange).await.map_err(|_| "no answer in time".to_owned())?;
    parse(&answer.map_err(|error| error.to_string())?)
}

fn parse(answer: &[u8]) -> Result<Reading, String> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").ok_or("the answer is not HTTP")?;
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    if status != "200" {
        return Err(format!("the answer has status {status}"));
    }
    let reading: Reading = serde_json::from_str(body).map_err(|error| error.to_string())?;
    if !reading.rate.is_finite() || reading.rate < 0.0 {
        return Err(format!("a clock cannot run at rate {}", reading.rate));
    }
    Ok(reading)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machines_own_addresses_are_followed() {
        assert_eq!(loopback("http://127.0.0.1:9000").unwrap(), "127.0.0.1:9000");
        assert_eq!(loopback("http://[::1]:9000/").unwrap(), "[::1]:9000");
        assert!(loopback("http://example.com:9000").is_err());
        assert!(loopback("http://127.0.0.1.example.com").is_err());
        assert!(loopback("https://127.0.0.1:9000").is_err());
    }

    #[test]
    fn the_simulators_answer_is_read() {
        let answer = b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{\"now\":\"2026-12-01T00:00:00.000Z\",\"rate\":60.0,\"skew_seconds\":0}";
        let reading = parse(answer).unwrap();
        assert_eq!((reading.now.to_string().as_str(), reading.rate), ("2026-12-01T00:00:00Z", 60.0));
        assert!(parse(b"HTTP/1.0 404 Not Found\r\n\r\n{}").is_err());
        assert!(parse(b"").is_err());
    }
}
