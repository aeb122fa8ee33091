//! What the two ends of an AMQP 0-9-1 connection send, cut into frames.

/// `AMQP` and the version, before the first frame.
const GREETING: usize = 8;
/// Type, channel and length before a frame's content, and the byte that ends it.
const AROUND: usize = 8;
/// Where class and method of a frame are.
const METHOD: std::ops::Range<usize> = 7..11;
/// Class and method of `basic.ack`.
const BASIC_ACK: [u8; 4] = [0, 60, 0, 80];
/// Class and method of `basic.nack`, whose arguments are those of `basic.ack`.
const BASIC_NACK: [u8; 4] = [0, 60, 0, 120];
/// Class and method of `channel.open`.
const CHANNEL_OPEN: [u8; 4] = [0, 20, 0, 10];

/// Bytes of a connection that are no whole frame yet.
#[derive(Default)]
pub(super) struct Frames {
    pending: Vec<u8>,
    is_greeted: bool,
}

impl Frames {
    /// What a server sends, which does not greet.
    pub(super) fn of_server() -> Self {
        Self { is_greeted: true, ..Self::default() }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The next whole frame.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        let length = if self.is_greeted {
            let length = self.pending.get(3..7)?.try_into().expect("four bytes");
            AROUND + u32::from_be_bytes(length) as usize
        } else {
            GREETING
        };
        if self.pending.len() < length {
            return None;
        }
        self.is_greeted = true;
        Some(self.pending.drain(..length).collect())
    }
}

/// Whether a frame acknowledges messages.
pub(super) fn is_ack(frame: &[u8]) -> bool {
    is_method(frame, BASIC_ACK)
}

/// Whether a frame opens a channel.
pub(super) fn opens_channel(frame: &[u8]) -> bool {
    is_method(frame, CHANNEL_OPEN)
}

/// Makes a refusal of a confirmation.
pub(super) fn refuse(confirmation: &mut [u8]) {
    confirmation[METHOD].copy_from_slice(&BASIC_NACK);
}

fn is_method(frame: &[u8], method: [u8; 4]) -> bool {
    frame.first() == Some(&1) && frame.get(METHOD) == Some(&method)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_whole_however_they_arrive() {
        let ack = [&[1, 0, 1, 0, 0, 0, 4][..], &BASIC_ACK, &[0xCE]].concat();
        let heartbeat = [8, 0, 0, 0, 0, 0, 0, 0xCE];
        let sent = [b"AMQP\0\0\x09\x01".as_slice(), &ack, &heartbeat].concat();
        for piece in [1, 7, sent.len()] {
            let (mut frames, mut found) = (Frames::default(), Vec::new());
            for bytes in sent.chunks(piece) {
                frames.push(bytes);
                found.extend(std::iter::from_fn(|| frames.next()));
            }
            assert_eq!(found, [b"AMQP\0\0\x09\x01".to_vec(), ack.clone(), heartbeat.to_vec()]);
            assert_eq!(found.iter().map(|frame| is_ack(frame)).collect::<Vec<_>>(), [false, true, false]);
        }
    }
}
