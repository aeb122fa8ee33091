//! Messages as a later version would write them: with one field more, or in a format with another number.

use std::collections::HashMap;

/// Types of frames.
const HEADER: u8 = 2;
const BODY: u8 = 3;
/// Where a frame's length and its content are, and where a header says how long the body is.
const LENGTH: std::ops::Range<usize> = 3..7;
const CONTENT: usize = 7;
const BODY_LENGTH: std::ops::Range<usize> = 11..19;

/// The field that this version does not know.
const FIELD: &[u8] = br#""field_of_a_later_version":{"a":[1,null,"b"]},"#;

/// What a job begins with, on both sides of the number of its format.
const JOB: [&[u8]; 2] = [br#"{"v":"#, br#","campaign":""#];

/// Changes the number of a job's format.
pub(super) fn renumber_job(frame: &mut [u8], from: u8, to: u8) {
    let [before, after] = JOB;
    let number = CONTENT + before.len();
    let is_job = frame[0] == BODY && frame[CONTENT..].starts_with(&[before, &[from], after].concat());
    if is_job {
        frame[number] = to;
    }
}

/// Adds the field to every message of one connection.
#[derive(Default)]
pub(super) struct Later {
    /// Headers whose bodies have not come yet, by channel.
    headers: HashMap<[u8; 2], Vec<u8>>,
}

impl Later {
    /// What is sent in the place of a frame, and whether a message was changed.
    pub(super) fn pass(&mut self, mut frame: Vec<u8>) -> (Vec<Vec<u8>>, bool) {
        let Some(&[first, high, low]) = frame.first_chunk() else { return (vec![frame], false) };
        match first {
            HEADER => {
                self.headers.insert([high, low], frame);
                (Vec::new(), false)
            }
            BODY => {
                let Some(mut header) = self.headers.remove(&[high, low]) else { return (vec![frame], false) };
                let is_object = frame[CONTENT..].starts_with(b"{\"");
                if is_object {
                    frame.splice(CONTENT + 1..CONTENT + 1, FIELD.iter().copied());
                    let length = frame.len() - CONTENT - 1;
                    frame[LENGTH]
                        .copy_from_slice(&u32::try_from(length).expect("frames are short").to_be_bytes());
                    header[BODY_LENGTH].copy_from_slice(&(length as u64).to_be_bytes());
                }
                (vec![header, frame], is_object)
            }
            _ => (vec![frame], false),
        }
    }
}
