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
        let store = self.clone();
        let task = tokio::task::spawn_blocking(move || store.hold(call));
        task.await.map_err(|error| StoreError::Abandoned(error.to_string()))
    }

    /// Runs `call` here: blocks while others have the store, and until it is done.
    fn hold<T>(&self, call: impl FnOnce(&mut dyn Store) -> T) -> T {
        call(self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut())
    }
}

/// The store for one who has much else to do between two calls.
pub enum StoreAccess<'a> {
    /// Nobody else has it.
    Own(&'a mut dyn Store),
    /// Others have it as well, so it is held for one call at a time.
    Shared(&'a SharedStore),
}

impl StoreAccess<'_> {
    /// Runs `call`; blocks while others have the store.
    pub fn with<T>(&mut self, call: impl FnOnce(&mut dyn Store) -> T) -> T {
        match self {
            Self::Own(store) => call(*store),
            Self::Shared(store) => store.hold(call),
        }
    }
}
