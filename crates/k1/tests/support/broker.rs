//! A real broker, and a subscriber to everything on it.

#![allow(dead_code, reason = "every test file uses another part of it")]

use std::collections::HashMap;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rumqttc::{Client, Event, MqttOptions, Packet, QoS};
use serde_json::Value;

use crate::support::eventually;

/// A broker for one test.
pub struct Broker {
    child: Child,
    /// TCP port on this machine.
    pub port: u16,
}

impl Broker {
    /// Starts a broker, and returns when it is running; `None` without one, after printing the reason.
    pub fn start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let Some(child) = Self::spawn(port) else {
            crate::support::need::missing("mosquitto", "mosquitto (Debian keeps it in /usr/sbin)");
            return None;
        };
        let broker = Self { child, port };
        broker.listens();
        Some(broker)
    }

    fn spawn(port: u16) -> Option<Child> {
        Self::spawn_with(port, "allow_anonymous true\n")
    }

    /// Starts a broker that needs a user and a password, and returns when it is running; `None` if it is not installed.
    pub fn locked(port: u16, user: &str, password: &str) -> Option<Self> {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mosquitto-{port}.users"));
        let made =
            Command::new("mosquitto_passwd").args(["-b", "-c"]).arg(&file).args([user, password]).output();
        if !made.is_ok_and(|m| m.status.success()) {
            crate::support::need::missing("mosquitto", "mosquitto_passwd");
            return None;
        }
        let words = format!("allow_anonymous false\npassword_file {}\n", file.display());
        let broker = Self { child: Self::spawn_with(port, &words)?, port };
        broker.listens();
        Some(broker)
    }

    /// Starts a broker on a given port.
    pub fn on(port: u16) -> Option<Self> {
        let broker = Self { child: Self::spawn(port)?, port };
        broker.listens();
        Some(broker)
    }

    fn spawn_with(port: u16, more: &str) -> Option<Child> {
        // A slow listener must not lose messages. A broker that root starts becomes another user before it reads its
        // passwords, and that user cannot enter root's build folder. With `user root` it stays root; for other users
        // the line has no effect.
        let words = format!("user root\nlistener {port} 127.0.0.1\nmax_queued_messages 0\n{more}");
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mosquitto-{port}.conf"));
        std::fs::write(&file, words).unwrap();
        let mut command = Command::new("mosquitto");
        command.arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
    }

    fn listens(&self) {
        eventually("the broker listens", || TcpStream::connect(("127.0.0.1", self.port)).is_ok());
    }

    /// Kills the broker and starts another one in its place, which remembers nothing; `listener` also forgets
    /// everything.
    pub fn restart(&mut self, listener: &Listener) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        listener.forget();
        self.child = Self::spawn(self.port).expect("it was there");
        self.listens();
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

static LISTENERS: AtomicUsize = AtomicUsize::new(0);

/// A subscriber to everything, which reconnects after the broker was away.
pub struct Listener {
    client: Client,
    heard: Arc<Mutex<HashMap<String, Vec<u8>>>>,
}

impl Listener {
    /// Starts to listen.
    pub fn new(port: u16) -> Self {
        let mut options =
            MqttOptions::new(format!("listener-{}", LISTENERS.fetch_add(1, SeqCst)), "127.0.0.1", port);
        options.set_max_packet_size(4 << 20, 4 << 20);
        let (client, mut connection) = Client::new(options, 32);
        let heard = Arc::new(Mutex::new(HashMap::new()));
        let (into, ears) = (heard.clone(), client.clone());
        std::thread::spawn(move || {
            for event in connection.iter() {
                match event {
                    Ok(Event::Incoming(Packet::Publish(p))) => {
                        into.lock().unwrap().insert(p.topic.clone(), p.payload.to_vec());
                    }
                    Ok(Event::Incoming(Packet::ConnAck(_))) => {
                        let _ = ears.try_subscribe("#", QoS::AtLeastOnce);
                    }
                    Ok(_) => {}
                    Err(_) => std::thread::sleep(Duration::from_millis(100)),
                }
            }
        });
        Self { client, heard }
    }

    /// The last message on a topic.
    pub fn text(&self, topic: &str) -> Option<String> {
        self.heard.lock().unwrap().get(topic).map(|m| String::from_utf8_lossy(m).into_owned())
    }

    /// The topics with a message that is not empty.
    pub fn topics(&self) -> Vec<String> {
        let mut all: Vec<_> = self
            .heard
            .lock()
            .unwrap()
            .iter()
            .filter(|(_, m)| !m.is_empty())
            .map(|(t, _)| t.clone())
            .collect();
        all.sort();
        all
    }

    /// Publishes a message that the broker keeps.
    pub fn keep(&self, topic: &str, message: &str) {
        self.client.publish(topic, QoS::AtLeastOnce, true, message).unwrap();
    }

    /// The last message as JSON; null if it is not JSON.
    pub fn json(&self, topic: &str) -> Value {
        self.text(topic).and_then(|t| serde_json::from_str(&t).ok()).unwrap_or_default()
    }

    /// Publishes a message.
    pub fn wish(&self, topic: &str, message: &str) {
        self.client.publish(topic, QoS::AtLeastOnce, false, message).unwrap();
    }

    /// Forgets all messages.
    pub fn forget(&self) {
        self.heard.lock().unwrap().clear();
    }

    /// Forgets the messages on a topic.
    pub fn forget_of(&self, topic: &str) {
        self.heard.lock().unwrap().remove(topic);
    }
}
