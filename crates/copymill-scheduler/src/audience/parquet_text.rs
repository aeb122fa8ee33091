//! Values of Parquet columns as text: exact, and the same whatever program wrote the file.

use jiff::{Timestamp, civil, tz::Offset};
use parquet::{
    basic::{ConvertedType, LogicalType, TimeUnit, Type as PhysicalType},
    data_type::{ByteArray, FixedLenByteArray, Int96},
    schema::types::ColumnDescriptor,
};

/// Digits of a decimal at most; more do not fit into 128 bits.
const DECIMAL_DIGITS_MAX: i32 = 38;
const NANOS_PER_SECOND: i128 = 1_000_000_000;
const SECONDS_PER_DAY: i128 = 86_400;
/// Julian day number of 1970-01-01, from which INT96 timestamps count.
const JULIAN_DAY_OF_EPOCH: i128 = 2_440_588;
/// Floats are written without an exponent from the first power of ten to below the second.
const PLAIN_FLOATS: std::ops::Range<f64> = 1e-5..1e16;

/// Why a value has no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoText {
    /// Bytes that are no UTF-8.
    NotUtf8,
    /// A number or a point in time that is out of range.
    OutOfRange,
}

/// How the values of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As they are: numbers, `true` and `false`, text.
    Plain,
    /// Integers whose sign bit is one of their digits.
    Unsigned,
    /// Integers with so many digits behind the point.
    Decimal(u32),
    /// Days since 1970-01-01.
    Date,
    /// Time since midnight, in units of so many nanoseconds.
    Time(i128),
    /// Time since 1970, in units of so many nanoseconds; with `Z` where it is UTC.
    Timestamp(i128, Zone),
    /// 16 bytes.
    Uuid,
}

/// Whether a point in time is in UTC, or in a place that the file does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    Utc,
    Unknown,
}

impl Form {
    /// The form of a column; none where its type is not read.
    pub(super) fn of(column: &ColumnDescriptor) -> Option<Self> {
        use PhysicalType::{BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY, INT32, INT64, INT96};
        let physical = column.physical_type();
        let form = match column.logical_type_ref() {
            Some(logical) => Self::of_logical(logical)?,
            None => Self::of_converted(column)?,
        };
        let fits = match form {
            Self::Plain => physical != FIXED_LEN_BYTE_ARRAY,
            Self::Unsigned | Self::Time(_) => matches!(physical, INT32 | INT64),
            Self::Date => physical == INT32,
            Self::Timestamp(..) => matches!(physical, INT64 | INT96),
            Self::Uuid => physical == FIXED_LEN_BYTE_ARRAY && column.type_length() == 16,
            Self::Decimal(_) => {
                let is_known = matches!(physical, INT32 | INT64 | BYTE_ARRAY | FIXED_LEN_BYTE_ARRAY);
                is_known && column.type_precision() <= DECIMAL_DIGITS_MAX
            }
        };
        fits.then_some(form)
    }

    fn of_logical(logical: &LogicalType) -> Option<Self> {
        Some(match logical {
            LogicalType::String | LogicalType::Enum | LogicalType::Json | LogicalType::Unknown => Self::Plain,
            LogicalType::Integer(integer) if integer.is_signed => Self::Plain,
            LogicalType::Integer(_) => Self::Unsigned,
            LogicalType::Decimal(decimal) => Self::decimal(decimal.scale)?,
            LogicalType::Date => Self::Date,
            LogicalType::Time(time) => Self::Time(nanos(&time.unit)),
            LogicalType::Timestamp(time) => {
                let zone = if time.is_adjusted_to_u_t_c { Zone::Utc } else { Zone::Unknown };
                Self::Timestamp(nanos(&time.unit), zone)
            }
            LogicalType::Uuid => Self::Uuid,
            _ => return None,
        })
    }

    /// The form of a column as older programs describe it. Bytes without a description are text where they are UTF-8.
    fn of_converted(column: &ColumnDescriptor) -> Option<Self> {
        Some(match column.converted_type() {
            ConvertedType::NONE if column.physical_type() == PhysicalType::INT96 => {
                Self::Timestamp(1, Zone::Unknown)
            }
            ConvertedType::NONE | ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON => {
                Self::Plain
            }
            ConvertedType::INT_8 | ConvertedType::INT_16 | ConvertedType::INT_32 | ConvertedType::INT_64 => {
                Self::Plain
            }
            ConvertedType::UINT_8
            | ConvertedType::UINT_16
            | ConvertedType::UINT_32
            | ConvertedType::UINT_64 => Self::Unsigned,
            ConvertedType::DECIMAL => Self::decimal(column.type_scale())?,
            ConvertedType::DATE => Self::Date,
            ConvertedType::TIME_MILLIS => Self::Time(nanos(&TimeUnit::MILLIS)),
            ConvertedType::TIME_MICROS => Self::Time(nanos(&TimeUnit::MICROS)),
            ConvertedType::TIMESTAMP_MILLIS => Self::Timestamp(nanos(&TimeUnit::MILLIS), Zone::Utc),
            ConvertedType::TIMESTAMP_MICROS => Self::Timestamp(nanos(&TimeUnit::MICROS), Zone::Utc),
            _ => return None,
        })
    }

    fn decimal(scale: i32) -> Option<Self> {
        (0..=DECIMAL_DIGITS_MAX).contains(&scale).then_some(Self::Decimal(scale.unsigned_abs()))
    }
}

fn nanos(unit: &TimeUnit) -> i128 {
    match unit {
        TimeUnit::MILLIS => 1_000_000,
        TimeUnit::MICROS => 1_000,
        _ => 1,
    }
}

/// A value of a Parquet type that can be written as text.
pub(super) trait Text {
    /// Its text in a form.
    fn text(&self, form: Form) -> Result<String, NoText>;

    /// Bytes of the text, where they can be many.
    fn length(&self) -> usize {
        0
    }
}

impl Text for bool {
    fn text(&self, _: Form) -> Result<String, NoText> {
        Ok(self.to_string())
    }
}

impl Text for i32 {
    fn text(&self, form: Form) -> Result<String, NoText> {
        match form {
            Form::Unsigned => Ok(self.cast_unsigned().to_string()),
            _ => integer((*self).into(), form),
        }
    }
}

impl Text for i64 {
    fn text(&self, form: Form) -> Result<String, NoText> {
        match form {
            Form::Unsigned => Ok(self.cast_unsigned().to_string()),
            _ => integer((*self).into(), form),
        }
    }
}

impl Text for Int96 {
    fn text(&self, form: Form) -> Result<String, NoText> {
        let [low, high, day] = self.data() else { return Err(NoText::OutOfRange) };
        let of_day = i128::from(u64::from(*high) << 32 | u64::from(*low));
        let days = i128::from(*day) - JULIAN_DAY_OF_EPOCH;
        integer(days * SECONDS_PER_DAY * NANOS_PER_SECOND + of_day, form)
    }
}

impl Text for f32 {
    fn text(&self, _: Form) -> Result<String, NoText> {
        let plain = *self == 0.0 || !self.is_finite() || PLAIN_FLOATS.contains(&f64::from(self.abs()));
        Ok(if plain { self.to_string() } else { format!("{self:e}") })
    }
}

impl Text for f64 {
    fn text(&self, _: Form) -> Result<String, NoText> {
        let plain = *self == 0.0 || !self.is_finite() || PLAIN_FLOATS.contains(&self.abs());
        Ok(if plain { self.to_string() } else { format!("{self:e}") })
    }
}

impl Text for [u8] {
    fn text(&self, form: Form) -> Result<String, NoText> {
        match form {
            Form::Decimal(scale) => Ok(decimal(big_endian(self)?, scale)),
            Form::Uuid => Ok(uuid(self)),
            _ => std::str::from_utf8(self).map(str::to_owned).map_err(|_| NoText::NotUtf8),
        }
    }

    fn length(&self) -> usize {
        self.len()
    }
}

impl Text for ByteArray {
    fn text(&self, form: Form) -> Result<String, NoText> {
        self.data().text(form)
    }

    fn length(&self) -> usize {
        self.len()
    }
}

impl Text for FixedLenByteArray {
    fn text(&self, form: Form) -> Result<String, NoText> {
        self.data().text(form)
    }

    fn length(&self) -> usize {
        self.len()
    }
}

fn integer(value: i128, form: Form) -> Result<String, NoText> {
    let out_of_range = |_: jiff::Error| NoText::OutOfRange;
    match form {
        Form::Decimal(scale) => Ok(decimal(value, scale)),
        Form::Date => {
            let day = Timestamp::from_nanosecond(value * SECONDS_PER_DAY * NANOS_PER_SECOND);
            Ok(Offset::UTC.to_datetime(day.map_err(out_of_range)?).date().to_string())
        }
        Form::Time(unit) => time_of_day(value * unit),
        Form::Timestamp(unit, zone) => {
            let at = Timestamp::from_nanosecond(value.checked_mul(unit).ok_or(NoText::OutOfRange)?);
            let at = at.map_err(out_of_range)?;
            Ok(match zone {
                Zone::Utc => at.to_string(),
                Zone::Unknown => Offset::UTC.to_datetime(at).to_string(),
            })
        }
        _ => Ok(value.to_string()),
    }
}

fn time_of_day(nanos: i128) -> Result<String, NoText> {
    let out_of_range = |_| NoText::OutOfRange;
    let seconds = nanos.div_euclid(NANOS_PER_SECOND);
    let rest = i32::try_from(nanos.rem_euclid(NANOS_PER_SECOND)).map_err(out_of_range)?;
    let part = |value: i128| i8::try_from(value).map_err(out_of_range);
    let (hour, minute, second) = (part(seconds / 3_600)?, part(seconds / 60 % 60)?, part(seconds % 60)?);
    let time = civil::Time::new(hour, minute, second, rest).map_err(|_| NoText::OutOfRange)?;
    Ok(time.to_string())
}

/// `-12.50` for -1250 with two digits behind the point.
fn decimal(value: i128, scale: u32) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let scale = scale as usize;
    let digits = format!("{:0width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// A two's complement number, the most significant byte first.
fn big_endian(bytes: &[u8]) -> Result<i128, NoText> {
    let fill = if bytes.first().is_some_and(|first| first & 0x80 != 0) { 0xff } else { 0 };
    let mut whole = [fill; 16];
    let spare = bytes.len().saturating_sub(whole.len());
    if bytes[..spare].iter().any(|byte| *byte != fill) {
        return Err(NoText::OutOfRange);
    }
    let kept = &bytes[spare..];
    let start = whole.len() - kept.len();
    whole[start..].copy_from_slice(kept);
    let value = i128::from_be_bytes(whole);
    if spare > 0 && (value < 0) != (fill == 0xff) { Err(NoText::OutOfRange) } else { Ok(value) }
}

fn uuid(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact_to_the_last_digit() {
        for (value, scale, text) in [
            (-1250, 2, "-12.50"),
            (5, 3, "0.005"),
            (0, 2, "0.00"),
            (7, 0, "7"),
            (i128::MAX, 38, "1.70141183460469231731687303715884105727"),
        ] {
            assert_eq!(integer(value, Form::Decimal(scale)).unwrap(), text);
        }
        assert_eq!([0xfb_u8, 0x1e].as_slice().text(Form::Decimal(2)).unwrap(), "-12.50");
        assert_eq!([0xff_u8; 20].as_slice().text(Form::Decimal(0)).unwrap(), "-1");
        assert_eq!([0_u8; 0].as_slice().text(Form::Decimal(1)).unwrap(), "0.0");
        assert_eq!([1_u8; 17].as_slice().text(Form::Decimal(0)), Err(NoText::OutOfRange));
        assert_eq!(
            [0; 1].into_iter().chain([0xff; 16]).collect::<Vec<u8>>().as_slice().text(Form::Decimal(0)),
            Err(NoText::OutOfRange)
        );
    }

    #[test]
    fn points_in_time_are_written_as_iso_8601() {
        let millis = Form::Timestamp(1_000_000, Zone::Utc);
        assert_eq!(integer(1_777_550_400_000, millis).unwrap(), "2026-04-30T12:00:00Z");
        assert_eq!(integer(-1, Form::Timestamp(1, Zone::Unknown)).unwrap(), "1969-12-31T23:59:59.999999999");
        assert_eq!(integer(20_573, Form::Date).unwrap(), "2026-04-30");
        assert_eq!(integer(-1, Form::Date).unwrap(), "1969-12-31");
        assert_eq!(integer(43_200_500, Form::Time(1_000_000)).unwrap(), "12:00:00.5");
        let mut spark = Int96::new();
        spark.set_data(0, 0, 2_440_589);
        assert_eq!(spark.text(Form::Timestamp(1, Zone::Unknown)).unwrap(), "1970-01-02T00:00:00");
        for (value, form) in [
            (i128::from(i32::MAX), Form::Date),
            (i128::from(i64::MAX), millis),
            (86_400_000, Form::Time(1_000_000)),
            (-1, Form::Time(1)),
        ] {
            assert_eq!(integer(value, form), Err(NoText::OutOfRange), "{value} {form:?}");
        }
    }

    #[test]
    fn numbers_are_written_in_their_shortest_form_that_reads_back() {
        let shown = |value: f64| value.text(Form::Plain).unwrap();
        assert_eq!(["5", "0.1", "-0.5", "0"].map(str::to_owned), [5.0, 0.1, -0.5, 0.0].map(shown));
        assert_eq!([shown(1e300), shown(1e-7), shown(f64::NAN)], ["1e300", "1e-7", "NaN"]);
        assert_eq!(0.1_f32.text(Form::Plain).unwrap(), "0.1");
        assert_eq!((-1_i32).text(Form::Unsigned).unwrap(), "4294967295");
        assert_eq!((-1_i64).text(Form::Unsigned).unwrap(), "18446744073709551615");
        assert_eq!(uuid(&[0x12; 16]), "12121212-1212-1212-1212-121212121212");
    }
}
