//! One store for many tasks: calls run one after the other on tokio's blocking threads, never on an async worker.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Result, Store, StoreError};

/// A cheap handle to the one store of this process.
#[derive(Clone)]
pub struct SharedStore(Arc<Mutex<Box<dyn Store>>>);

impl SharedStore {
    /// Takes over `store`.
    pub fn new(store: impl Store + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(store))))
    }

    /// Runs `call` on a blocking thread. A call that panics rolls its transaction back and is reported as abandoned.
    pub async fn run<T, F>(&self, call: F) -> Result<T>
    where
        F: FnOnce(&mut dyn Store) -> T + Send + 'static,
        T: Send + 'static,
    {
        let store = Arc::clone(&self.0);
        let task = tokio::task::spawn_blocking(move || {
            let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
            call(store.as_mut())
        });
        task.await.map_err(|error| StoreError::Abandoned(error.to_string()))
    }
}
