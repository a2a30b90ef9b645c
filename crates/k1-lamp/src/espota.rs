//! Updates by espota, for existing tools.

use alloc::boxed::Box;
use core::fmt::Write;

use embassy_futures::yield_now;
use embassy_net::tcp::TcpSocket;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_net::{IpEndpoint, Stack};
use embassy_time::{Duration, Instant, with_timeout};
use embedded_io_async::Write as _;
use embedded_storage_async::nor_flash::NorFlash;
use k1_update::refusal::Refusal;
use k1_wire::espota::{self, Challenge, Check, Invitation, PORT, Request};

use crate::Lamp;
use crate::receive::Updater;

/// An invitation without a proof is forgotten after this time.
const PROOF_PATIENCE: Duration = Duration::from_secs(10);
/// Time after a wrong proof in which the lamp ignores everybody. It slows guesses down and hardly delays the owner.
const SULK: Duration = Duration::from_secs(1);
/// Time for a client to read why the lamp disconnects it.
const LISTEN: Duration = Duration::from_millis(300);
/// A client that sends nothing for this time counts as gone.
const GONE: Duration = Duration::from_secs(10);
/// Rounds of a proof between two turns of the network; they take about a millisecond.
const ROUNDS: u32 = 50;

/// Number of sockets that espota needs.
pub const SOCKETS: usize = 2;

/// A client that must send a proof.
struct Asked {
    by: IpEndpoint,
    invitation: Invitation,
    challenge: Challenge,
    at: Instant,
}

/// Listens for invitations; `chance` makes challenges. Never returns.
pub async fn listen<F: NorFlash + 'static>(
    lamp: &'static Lamp,
    stack: Stack<'static>,
    updater: &'static Updater<F>,
    mut chance: impl FnMut() -> u32,
) -> ! {
    let (mut receive_meta, mut send_meta) = ([PacketMetadata::EMPTY; 2], [PacketMetadata::EMPTY; 2]);
    let (mut receive, mut send) = ([0; 256], [0; 160]);
    let mut udp = UdpSocket::new(stack, &mut receive_meta, &mut receive, &mut send_meta, &mut send);
    if udp.bind(PORT).is_err() {
        panic!("the port of espota is taken");
    }
    let mut asked: Option<Asked> = None;
    loop {
        let mut packet = [0; 160];
        let (length, from) = match udp.recv_from(&mut packet).await {
            Ok((length, meta)) => (length, meta.endpoint),
            Err(_) => continue,
        };
        match espota::parse(&packet[..length]) {
            Some(Request::Invite(invitation)) => {
                let answer = match (invitation.is_firmware, lamp.look(|s| s.memory.trust.is_empty())) {
                    // A client with the old form of the protocol shows only 37 letters.
                    (false, _) => heapless::String::try_from("no file system here").unwrap_or_default(),
                    (_, true) => {
                        heapless::String::try_from("no key yet: k1 keys trust LAMP").unwrap_or_default()
                    }
                    _ => {
                        let mut bytes = [0; 32];
                        bytes.chunks_exact_mut(4).for_each(|b| b.copy_from_slice(&chance().to_le_bytes()));
                        let challenge = Challenge::new(bytes);
                        let packet = challenge.packet();
                        asked = Some(Asked { by: from, invitation, challenge, at: Instant::now() });
                        packet
                    }
                };
                let _ = udp.send_to(answer.as_bytes(), from).await;
            }
            Some(Request::Proof { cnonce, response }) => {
                // The client may send the proof from another port than the invitation.
                let Some(a) =
                    asked.take().filter(|a| a.by.addr == from.addr && a.at.elapsed() < PROOF_PATIENCE)
                else {
                    continue;
                };
                let token = lamp.look(|s| s.memory.hardware.token.clone());
                let mut check = a.challenge.check(&token, cnonce, response);
                let right = loop {
                    match check {
                        Check::Done(right) => break right && !token.is_empty(),
                        more => check = more.step(ROUNDS),
                    }
                    yield_now().await;
                };
                let answer: &[u8] = if right { b"OK" } else { b"Authentication Failed" };
                let _ = udp.send_to(answer, from).await;
                if right {
                    let client = (from.addr, a.invitation.port).into();
                    // On the heap, and only while an update arrives.
                    Box::pin(fetch(lamp, stack, updater, client, a.invitation.size)).await;
                } else {
                    lamp.malformed.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
                    embassy_time::Timer::after(SULK).await;
                }
            }
            None => {
                lamp.malformed.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
            }
        }
    }
}

/// Connects to the client, receives the file, and reports the result.
async fn fetch<F: NorFlash + 'static>(
    lamp: &'static Lamp,
    stack: Stack<'static>,
    updater: &'static Updater<F>,
    client: IpEndpoint,
    size: u32,
) {
    let (mut receive, mut send, mut piece) = ([0; 2_048], [0; 128], [0; 512]);
    let mut socket = TcpSocket::new(stack, &mut receive, &mut send);
    socket.set_timeout(Some(GONE));
    socket.set_nagle_enabled(false);
    if socket.connect(client).await.is_err() {
        return;
    }
    let mut upload = updater.begin(lamp);
    let mut left = size;
    while left > 0 {
        let n = match with_timeout(GONE, socket.read(&mut piece)).await {
            Ok(Ok(n @ 1..)) => n,
            _ => return socket.abort(),
        };
        left = left.saturating_sub(n as u32);
        if let Ok(open) = &mut upload
            && let Err(why) = open.take(&piece[..n]).await
        {
            upload = Err(why);
        }
        // Clients report success when they have sent the whole file, whatever the lamp answers. The lamp therefore
        // stops them before the end.
        if upload.is_err() {
            break;
        }
        let mut count = heapless::String::<12>::new();
        // A number of bytes has fewer digits than the buffer.
        let _ = write!(count, "{n}");
        if socket.write_all(count.as_bytes()).await.is_err() {
            return socket.abort();
        }
    }
    let done = match upload {
        Ok(upload) => upload.finish().await.map(|_| ()),
        Err(why) => Err(why),
    };
    let mut words = heapless::String::<128>::new();
    let _ = match done {
        Ok(()) => words.write_str("OK"),
        Err(why) => {
            // Text that does not fit is left out.
            refused(lamp, why);
            write!(words, "ERROR: {why}")
        }
    };
    let _ = socket.write_all(words.as_bytes()).await;
    if left == 0 {
        socket.close();
    }
    let _ = with_timeout(Duration::from_secs(2), socket.flush()).await;
    if left > 0 {
        // The pause lets the client read the sentence before the connection ends.
        embassy_time::Timer::after(LISTEN).await;
        socket.abort();
        let _ = with_timeout(Duration::from_secs(2), socket.flush()).await;
    } else {
        let rest = async { while matches!(socket.read(&mut piece).await, Ok(1..)) {} };
        let _ = with_timeout(Duration::from_secs(2), rest).await;
    }
}

/// Remembers a refusal for people who look at the lamp and not at the client.
fn refused(lamp: &Lamp, why: Refusal) {
    lamp.note(|s| s.firmware.refused = Some(why));
}
