//! The places for WebSockets. [`k1_http::sockets`] decides which one gives way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use k1_http::client::Client;
use k1_http::limits::PROGRAM;
use k1_http::sockets::{Id, Sockets};
use tokio::sync::Notify;

/// All open WebSockets.
pub struct WebSockets {
    open: Mutex<Open>,
}

struct Open {
    sockets: Sockets,
    leave: HashMap<Id, Arc<Notify>>,
}

impl Default for WebSockets {
    fn default() -> Self {
        Self { open: Mutex::new(Open { sockets: Sockets::new(PROGRAM.websockets), leave: HashMap::new() }) }
    }
}

/// A place, taken for as long as its WebSocket is open.
pub struct Place {
    all: Arc<WebSockets>,
    id: Id,
    leave: Arc<Notify>,
}

impl WebSockets {
    /// Number of open WebSockets.
    pub fn len(&self) -> usize {
        self.lock().sockets.len()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new WebSocket; `None` if all are taken by WebSockets that are still in use.
    pub fn take(self: &Arc<Self>, client: Client, now_ms: u64) -> Option<Place> {
        let mut open = self.lock();
        let taken = open.sockets.take(client, now_ms)?;
        if let Some(leave) = taken.gives_way.and_then(|id| open.leave.remove(&id)) {
            leave.notify_one();
        }
        let leave = Arc::new(Notify::new());
        open.leave.insert(taken.id, leave.clone());
        Some(Place { all: self.clone(), id: taken.id, leave })
    }
}

impl Place {
    /// Notes that the other side sent something.
    pub fn heard(&self, now_ms: u64) {
        self.all.lock().sockets.heard(self.id, now_ms);
    }

    /// Waits until this place is given to another WebSocket.
    pub async fn lost(&self) {
        self.leave.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.all.lock();
        open.sockets.remove(self.id);
        open.leave.remove(&self.id);
    }
}
