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

    #[test]
    fn lengths_are_counted_as_channels_count_them() {
        for (text, width) in [("送料無料で今すぐお届けします", 28), ("한국어 광고 제목 예시입니다", 27), ("Café crème", 10)] {
            assert_eq!(length(text, Unit::Width), width, "{text}");
        }
        assert_eq!(length(&"A".repeat(160), Unit::Sms), 160);
        assert_eq!(length("€", Unit::Sms), 2);
        assert_eq!(length(&"😀".repeat(35), Unit::Sms), 160);
        assert!(length(&"😀".repeat(36), Unit::Sms) > 160);
        assert!(length(&("A".repeat(100) + "ç"), Unit::Sms) > 160);
    }
}
