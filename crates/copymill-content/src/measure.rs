//! Lengths in the unit of the channel.

use unicode_width::UnicodeWidthStr;

use crate::kind::Unit;

const GSM: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const GSM_EXTENDED: &str = "^{}\\[~]|€\u{c}";

/// The length of a text.
pub(crate) fn length(text: &str, unit: Unit) -> usize {
    match unit {
        Unit::Characters => text.chars().count(),
        Unit::Width => text.width(),
        Unit::Sms => sms(text),
    }
}

/// What a unit is called in messages.
pub(crate) fn word(unit: Unit) -> &'static str {
    match unit {
        Unit::Characters => "characters",
        Unit::Width => "columns of width",
        Unit::Sms => "text message units",
    }
}

/// Septets of GSM 03.38; any other text has 70 UTF-16 units where GSM-7 has 160 septets.
fn sms(text: &str) -> usize {
    let septets = text.chars().try_fold(0, |sum, character| match character {
        _ if GSM.contains(character) => Some(sum + 1),
        _ if GSM_EXTENDED.contains(character) => Some(sum + 2),
        _ => None,
    });
    septets.unwrap_or_else(|| (text.encode_utf16().count() * 160).div_ceil(70))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Vectors {
        width: Vec<(String, usize)>,
        sms_units: Vec<(String, usize)>,
        /// Text, how often it stands there, and the parts of the message.
        sms_parts: Vec<(String, usize, usize)>,
    }

    #[test]
    fn lengths_are_counted_as_channels_count_them() {
        let vectors: Vectors = serde_saphyr::from_str(include_str!("../tests/data/lengths.yaml")).unwrap();
        for (text, width) in vectors.width {
            assert_eq!(length(&text, Unit::Width), width, "{text}");
        }
        for (text, units) in vectors.sms_units {
            assert_eq!(length(&text, Unit::Sms), units, "{text}");
        }
        for (text, times, parts) in vectors.sms_parts {
            let units = length(&text.repeat(times), Unit::Sms);
            assert_eq!(units <= 160, parts == 1, "{times} × {text}: {units}");
        }
    }
}
