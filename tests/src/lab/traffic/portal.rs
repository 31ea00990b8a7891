//! A captive portal's web server: whatever is asked for leads to a login, and the login's page says so. What is no HTTP is answered as web
//! servers do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

/// The login's page.
pub const LOGIN: &str = "/login";
/// What it says.
pub const WELCOME: &str = "welcome";
const PATIENCE: Duration = Duration::from_secs(5);

/// Answers until killed.
///
/// # Errors
/// The port is taken.
pub fn serve(listen: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen at {listen}"))?;
    for client in listener.incoming() {
        // Who hangs up has no answer.
        let _hung_up = client.map(|client| std::thread::spawn(move || answer(&client)));
    }
    Ok(())
}

fn answer(mut client: &TcpStream) -> Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let mut first = [0];
    client.peek(&mut first)?;
    if !first[0].is_ascii_uppercase() {
        // What is not read when it closes would be a reset.
        let _hello = client.read(&mut [0; 1 << 14])?;
        return Ok(client.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")?);
    }
    let mut lines = BufReader::new(client).lines();
    let request = lines.next().context("no request")??;
    lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
    let is_login = request.split(' ').nth(1) == Some(LOGIN);
    let answer = if is_login {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{WELCOME}", WELCOME.len())
    } else {
        let own = client.local_addr()?;
        format!(
            "HTTP/1.1 302 Found\r\nLocation: http://{}:{}{LOGIN}\r\nConnection: close\r\n\r\n",
            own.ip().to_canonical(),
            own.port()
        )
    };
    Ok(client.write_all(answer.as_bytes())?)
}
