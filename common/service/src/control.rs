//! The control socket: a program's command line asks its running instance.
//!
//! A Unix-domain stream socket with mode 0600; one JSON object a line goes in and one comes out:
//! `{"schema":1,"request":"status"}` is answered by `{"schema":1, ...}` or `{"schema":1,"error":"..."}`. Only the user that
//! the program runs as and root are answered. Lines, connections and waiting times are bounded.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The version of requests and answers.
pub const SCHEMA: u32 = 1;
/// The longest request line, in octets.
pub const MAX_REQUEST: u64 = 64 << 10;
/// The longest answer that [`ask`] takes, in octets: a hundred thousand lines of 300.
pub const MAX_ANSWER: u64 = 32 << 20;
/// The most connections at a time.
const MAX_CONNECTIONS: usize = 16;
/// How long one end waits for the other.
const PATIENCE: Duration = Duration::from_secs(10);

/// One request line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What is wanted, such as `status`.
    pub request: String,
    /// Further members of the object.
    #[serde(flatten)]
    pub arguments: Map<String, Value>,
}

impl Request {
    /// A request without arguments.
    pub fn new(request: &str) -> Self {
        Self { schema: SCHEMA, request: request.to_owned(), arguments: Map::new() }
    }
}

/// Why the control socket cannot be served or asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Another instance answers at the socket.
    #[error("{}: another instance answers there: stop it first, or give this one another control-socket", .0.display())]
    Running(PathBuf),
    /// Something that is no socket stands at the path.
    #[error("{}: this is no socket and is left alone: remove it, or choose another control-socket", .0.display())]
    NoSocket(PathBuf),
    /// The socket cannot be made.
    #[error("{}: cannot make the control socket: {source}; run as a user who may write in its folder, or choose another control-socket", .path.display())]
    Bind {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nobody answers.
    #[error("{}: the program is not running ({}): start it with `{start_with}`", .path.display(), what_is_there(source))]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
        /// The command that starts the program.
        start_with: String,
    },
    /// The user may not use the socket.
    #[error("{}: permission denied: ask as root or as the user that the program runs as", .0.display())]
    Denied(PathBuf),
    /// The conversation broke off.
    #[error("{}: the program did not answer: {source}; see its log, and start it again if it stays so", .path.display())]
    Broken {
        /// The socket.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// The program refused the request.
    #[error("{0}")]
    Refused(String),
}

/// A bound control socket; its file is removed when this is dropped.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    owner: u32,
}

impl ControlSocket {
    /// Binds `path`, in the place of a stale socket if there is one. Its folder is made when it is missing.
    /// Must be called within a tokio runtime.
    pub fn bind(path: &Path) -> Result<Self, ControlError> {
        remove_stale(path)?;
        let failed = |source| ControlError::Bind { path: path.to_owned(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let owner = std::fs::metadata(path).map_err(failed)?.uid();
        Ok(Self { listener, path: path.to_owned(), owner })
    }

    /// Answers each request with what `handler` says, until this future is dropped.
    pub async fn serve<H, F>(self, handler: H)
    where
        H: Fn(Request) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Value, String>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut conversations = tokio::task::JoinSet::new();
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            while conversations.try_join_next().is_some() {}
            match self.listener.accept().await {
                Ok((stream, _)) if self.may_ask(&stream) => {
                    let handler = handler.clone();
                    conversations.spawn(async move {
                        if let Err(error) = converse(stream, &*handler).await {
                            tracing::debug!(%error, "a control connection broke off");
                        }
                        drop(place);
                    });
                }
                Ok(_) => tracing::warn!("a user other than the owner asked at the control socket and was refused"),
                Err(error) => {
                    tracing::warn!(%error, "the control socket cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Between bind and chmod the socket's mode is the process's default, so the mode alone is not relied on.
    fn may_ask(&self, stream: &UnixStream) -> bool {
        stream.peer_cred().is_ok_and(|peer| peer.uid() == self.owner || peer.uid() == 0)
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(path = %self.path.display(), %error, "the control socket was gone already");
        }
    }
}

/// [`ControlSocket::bind`] and [`ControlSocket::serve`] in one.
pub async fn serve<H, F>(path: &Path, handler: H) -> Result<(), ControlError>
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<Value, String>> + Send + 'static,
{
    ControlSocket::bind(path)?.serve(handler).await;
    Ok(())
}

/// Asks the program that serves `path`; `start_with` is the command that starts it, for the error text.
/// Gives the answer's object, `schema` included.
pub async fn ask(path: &Path, request: &Request, start_with: &str) -> Result<Value, ControlError> {
    let stream = UnixStream::connect(path).await.map_err(|source| {
        if source.kind() == io::ErrorKind::PermissionDenied {
            return ControlError::Denied(path.to_owned());
        }
        ControlError::NotRunning { path: path.to_owned(), source, start_with: start_with.to_owned() }
    })?;
    let answer = timeout(PATIENCE, exchange(stream, request)).await;
    let answer = answer.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in 10 seconds")));
    let answer = answer.map_err(|source| ControlError::Broken { path: path.to_owned(), source })?;
    match answer.get("error").and_then(Value::as_str) {
        Some(refusal) => Err(ControlError::Refused(refusal.to_owned())),
        None => Ok(answer),
    }
}

fn what_is_there(error: &io::Error) -> String {
    let stale = error.kind() == io::ErrorKind::ConnectionRefused;
    if stale { "it left this socket behind, which goes with the next start".to_owned() } else { error.to_string() }
}

fn remove_stale(path: &Path) -> Result<(), ControlError> {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(ControlError::NoSocket(path.to_owned()));
    }
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(ControlError::Running(path.to_owned()));
    }
    std::fs::remove_file(path).map_err(|source| ControlError::Bind { path: path.to_owned(), source })
}

async fn converse<H, F>(stream: UnixStream, handler: &H) -> io::Result<()>
where
    H: Fn(Request) -> F,
    F: Future<Output = Result<Value, String>>,
{
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    while let Some(line) = timeout(PATIENCE, read_line(&mut lines, MAX_REQUEST)).await?? {
        let answer = match understand(&line) {
            Ok(request) => handler(request).await,
            Err(complaint) => Err(complaint),
        };
        timeout(PATIENCE, write.write_all(&to_line(with_schema(answer)))).await??;
    }
    Ok(())
}

fn understand(line: &[u8]) -> Result<Request, String> {
    let request: Request = serde_json::from_slice(line).map_err(|error| {
        format!("the request is not understood ({error}): send one line such as {{\"schema\":1,\"request\":\"status\"}}")
    })?;
    if request.schema != SCHEMA {
        return Err(format!("schema {} is not spoken here, only {SCHEMA}: use the program's own command line", request.schema));
    }
    Ok(request)
}

fn with_schema(answer: Result<Value, String>) -> Value {
    let mut object = Map::from_iter([("schema".to_owned(), json!(SCHEMA))]);
    match answer {
        Ok(Value::Object(members)) => object.extend(members),
        Ok(value) => object.extend([("result".to_owned(), value)]),
        Err(refusal) => object.extend([("error".to_owned(), json!(refusal))]),
    }
    Value::Object(object)
}

async fn exchange(stream: UnixStream, request: &Request) -> io::Result<Value> {
    let (read, mut write) = stream.into_split();
    write.write_all(&to_line(serde_json::to_value(request)?)).await?;
    let line = read_line(&mut BufReader::new(read), MAX_ANSWER).await?;
    let line = line.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection"))?;
    Ok(serde_json::from_slice(&line)?)
}

fn to_line(value: Value) -> Vec<u8> {
    let mut line = value.to_string().into_bytes();
    line.push(b'\n');
    line
}

/// The next line without its newline; `None` at the end of the stream.
async fn read_line(reader: &mut (impl AsyncBufReadExt + Unpin), limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    reader.take(limit + 1).read_until(b'\n', &mut line).await?;
    if line.pop_if(|last| *last == b'\n').is_some() {
        return Ok(Some(line));
    }
    if line.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a line of more than {limit} octets")));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(request: Request) -> Result<Value, String> {
        match request.request.as_str() {
            "status" => Ok(json!({"uptime": 5, "of": request.arguments.get("of")})),
            other => Err(format!("unknown request \"{other}\"")),
        }
    }

    struct World {
        _folder: tempfile::TempDir,
        path: PathBuf,
        server: tokio::task::JoinHandle<()>,
    }

    fn running() -> World {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/ha.sock");
        let server = tokio::spawn(ControlSocket::bind(&path).unwrap().serve(answer));
        World { _folder: folder, path, server }
    }

    #[tokio::test]
    async fn a_request_is_answered_with_the_schema() {
        let world = running();
        let mut request = Request::new("status");
        request.arguments.insert("of".to_owned(), json!("alice"));
        let answer = ask(&world.path, &request, "ha serve").await.unwrap();
        assert_eq!(answer, json!({"schema": 1, "uptime": 5, "of": "alice"}));
        let refusal = ask(&world.path, &Request::new("dance"), "ha serve").await.unwrap_err();
        assert_eq!(refusal.to_string(), "unknown request \"dance\"");
    }

    #[tokio::test]
    async fn the_socket_is_for_its_owner_and_goes_with_the_program() {
        let world = running();
        assert_eq!(std::fs::metadata(&world.path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(ControlSocket::bind(&world.path), Err(ControlError::Running(_))));
        world.server.abort();
        assert!(world.server.await.unwrap_err().is_cancelled());
        assert!(!world.path.exists());
        let error = ask(&world.path, &Request::new("status"), "ha -c ha.toml serve").await.unwrap_err().to_string();
        assert!(error.contains("not running") && error.ends_with("start it with `ha -c ha.toml serve`"), "{error}");
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_another_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ha.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        drop(ControlSocket::bind(&path).unwrap());
        std::fs::write(&path, "mine").unwrap();
        assert!(matches!(ControlSocket::bind(&path), Err(ControlError::NoSocket(_))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    }

    #[tokio::test]
    async fn nonsense_and_other_schemas_are_refused_and_endless_lines_end_the_connection() {
        let world = running();
        let mut stream = BufReader::new(UnixStream::connect(&world.path).await.unwrap());
        for (line, complaint) in [("hello\n", "not understood"), ("{\"schema\":2,\"request\":\"status\"}\n", "schema 2 is not")] {
            stream.write_all(line.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_line(&mut answer).await.unwrap();
            assert!(answer.starts_with("{\"error\":") || answer.contains("\"error\":"), "{answer}");
            assert!(answer.contains(complaint), "{answer}");
        }
        let endless = vec![b'x'; usize::try_from(MAX_REQUEST).unwrap() + 1];
        stream.write_all(&endless).await.unwrap();
        assert_eq!(stream.read(&mut [0; 16]).await.unwrap_or(0), 0);
    }
}
