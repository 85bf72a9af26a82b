//! What a plain scalar means to `kubectl`: YAML 1.1 as its reader has it, where `yes` is a boolean, `0777` an octal
//! number and `1__0` ten.

use serde_json::Value;

/// The meaning of a plain scalar; None for what JSON cannot say (`.nan`, `.inf`).
pub fn plain(text: &str) -> Option<Value> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Some(true.into()),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Some(false.into());
        }
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        _ => {}
    }
    if [".nan", ".inf"].contains(&text.trim_start_matches(['+', '-']).to_lowercase().as_str()) {
        return None;
    }
    Some(number(text).unwrap_or_else(|| text.into()))
}

/// A scalar with one of YAML's own tags; None when it is not of that kind.
pub fn tagged(kind: &str, text: &str) -> Option<Value> {
    let meaning = plain(text)?;
    match kind {
        "str" => Some(text.into()),
        "null" => meaning.is_null().then_some(meaning),
        "bool" => meaning.is_boolean().then_some(meaning),
        "int" => (meaning.is_i64() || meaning.is_u64()).then_some(meaning),
        "float" => meaning.is_number().then_some(meaning),
        _ => None,
    }
}

/// Whether a reader of YAML 1.2, and most people, see a text in what `kubectl` takes for a boolean or a number.
pub fn surprising(text: &str) -> bool {
    match plain(text) {
        Some(Value::Bool(_)) => !["true", "false"].contains(&text.to_lowercase().as_str()),
        Some(Value::Number(_)) => {
            let digits = text.trim_start_matches(['+', '-']);
            let octal = digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
            octal || text.contains('_') || digits.to_lowercase().starts_with("0b")
        }
        _ => false,
    }
}

fn number(text: &str) -> Option<Value> {
    let first = text.bytes().next()?;
    if first == b'.' {
        return float(text);
    }
    if !(first.is_ascii_digit() || first == b'+' || first == b'-') || date(text) {
        return None;
    }
    let digits = text.replace('_', "");
    integer(&digits).or_else(|| float(&digits))
}

fn integer(text: &str) -> Option<Value> {
    let (negative, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let lower = digits.to_lowercase();
    let (base, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        Some(two) if two.starts_with('0') => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None; // a second sign
    }
    let size = u64::from_str_radix(digits, base).ok()?;
    match (negative, text.starts_with('+')) {
        (true, _) => i64::try_from(-i128::from(size)).ok().map(Value::from),
        (false, true) => i64::try_from(size).ok().map(Value::from),
        (false, false) => Some(size.into()),
    }
}

/// JSON has one kind of number: `2.0` is sent as `2`.
fn float(text: &str) -> Option<Value> {
    let form = |b: u8| b.is_ascii_digit() || b"+-.eE".contains(&b);
    let value = Some(text).filter(|t| t.bytes().all(form))?.parse::<f64>().ok().filter(|value| value.is_finite())?;
    let whole = value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0;
    Some(if whole { (value as i64).into() } else { value.into() })
}

/// Whether it has the form of a date, which `kubectl` sends as the text that it is.
fn date(text: &str) -> bool {
    let (day, time) = text.split_once(['T', 't', ' ']).map_or((text, None), |(day, time)| (day, Some(time)));
    let mut parts = day.split('-');
    let number = |part: Option<&str>, most: usize| {
        part.is_some_and(|p| (1..=most).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()))
    };
    let year = parts.next().is_some_and(|year| year.len() == 4 && year.bytes().all(|b| b.is_ascii_digit()));
    let clock = |time: &str| time.bytes().all(|b| b.is_ascii_digit() || b":.+-Zz".contains(&b));
    year && number(parts.next(), 2) && number(parts.next(), 2) && parts.next().is_none() && time.is_none_or(clock)
}

#[cfg(test)]
mod tests {
    use super::{plain, surprising, tagged};
    use serde_json::{Value, json};

    #[test]
    fn plain_scalars_mean_what_kubectl_takes_them_for() {
        let cases = json!({
            "yes": true, "Off": false, "y": true, "~": null, "0777": 511, "0o17": 15, "0x1F": 31, "0b11": 3,
                "-0x10": -16, "1__0": 10, "1_": 1, "08": 8,
            "2.0": 2, "1.5": 1.5, ".5": 0.5, "1e3": 1000, "1:30": "1:30", "2026-11-23": "2026-11-23",
                "2026-1-2 3:4:5": "2026-1-2 3:4:5", "-": "-",
            "+5": 5, "--5": "--5", "1e400": "1e400", "9223372036854775808": 9_223_372_036_854_775_808_u64,
                "-9223372036854775808": i64::MIN, "_1": "_1",
            "18.6.1": "18.6.1", "infinity": "infinity", "0x": "0x", "1e": "1e", "yEs": "yEs", "0": 0, "-0": 0,
                "18446744073709551616": 18_446_744_073_709_551_616.0_f64
        });
        for (text, meaning) in cases.as_object().into_iter().flatten() {
            assert_eq!(plain(text).as_ref(), Some(meaning), "{text}");
        }
        assert_eq!([plain(".nan"), plain("-.Inf")], [None, None]);
    }

    #[test]
    fn tags_choose_among_meanings() {
        assert_eq!(tagged("str", "5"), Some(json!("5")));
        assert_eq!(tagged("int", "five"), None);
        assert_eq!(tagged("float", "5"), Some(json!(5)));
        assert_eq!(tagged("null", "~"), Some(Value::Null));
        assert_eq!(tagged("binary", "aGk="), None);
    }

    #[test]
    fn what_people_take_for_a_text_is_told() {
        assert!(["yes", "On", "n", "0777", "1_000", "0b1"].iter().all(|text| surprising(text)));
        assert!(
            ["true", "False", "0", "10", "1.5", "text", "0x1F", "~", "2026-11-23"].iter().all(|text| !surprising(text))
        );
    }
}
