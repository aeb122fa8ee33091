//! Renders a model's Jinja text the way `transformers` does, with nothing of this machine in reach.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value, context};

/// Far more steps than any real template needs for two messages; templates come from the internet.
const MAX_STEPS: u64 = 1_000_000;

/// Templates reach 100 KiB.
const MAX_TEMPLATE_BYTES: usize = 1 << 20;

/// What a template is told besides the messages.
#[derive(Clone, Copy)]
pub(super) struct Tokens<'a> {
    pub(super) bos: &'a str,
    pub(super) eos: &'a str,
}

/// A compiled chat template.
pub(super) struct Jinja {
    environment: Environment<'static>,
}

impl Jinja {
    /// Compiles a template's text.
    pub(super) fn new(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_TEMPLATE_BYTES {
            let problem = format!("it has more than {MAX_TEMPLATE_BYTES} bytes");
            return Err(Error::new(ErrorKind::InvalidOperation, problem));
        }
        let mut environment = Environment::new();
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        environment.set_fuel(Some(MAX_STEPS));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", strftime_now);
        environment.add_test("iterable", is_iterable);
        environment.add_template_owned("chat", without_generation_blocks(text))?;
        Ok(Self { environment })
    }

    /// Renders the messages and the beginning of the model's turn, without a thinking phase.
    pub(super) fn render(&self, messages: &Value, tokens: Tokens<'_>) -> Result<String, Error> {
        self.environment.get_template("chat")?.render(context! {
            messages,
            add_generation_prompt => true,
            enable_thinking => false,
            thinking => false,
            reasoning_effort => "low",
            bos_token => tokens.bos,
            eos_token => tokens.eos,
            // Defined and none, as `transformers` passes them.
            tools => (),
            documents => (),
        })
    }
}

/// As in Python, none and undefined values are not iterable; templates tell absent tools that way.
fn is_iterable(value: &Value) -> bool {
    !value.is_none() && !value.is_undefined() && value.try_iter().is_ok()
}

fn raise_exception(message: String) -> Result<String, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// Formats the fixed date 26 July 2024, which Llama 3's own template falls back to.
///
/// A moving date would change every prompt at midnight, and with it what the same seed generates.
fn strftime_now(format: &str) -> String {
    let mut formatted = String::with_capacity(format.len() * 2);
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            formatted.push(character);
            continue;
        }
        let directive = characters.next();
        let is_unpadded = directive == Some('-');
        let directive = if is_unpadded { characters.next() } else { directive };
        let value = directive.map_or("%", date_part);
        formatted.push_str(if is_unpadded { value.trim_start_matches('0') } else { value });
    }
    formatted
}

fn date_part(directive: char) -> &'static str {
    match directive {
        'Y' => "2024",
        'y' => "24",
        'm' => "07",
        'd' | 'e' => "26",
        'B' => "July",
        'b' | 'h' => "Jul",
        'A' => "Friday",
        'a' => "Fri",
        'j' => "208",
        'u' | 'w' => "5",
        'H' | 'M' | 'S' => "00",
        'I' => "12",
        'p' => "AM",
        'Z' => "UTC",
        'z' => "+0000",
        'F' => "2024-07-26",
        'D' | 'x' => "07/26/24",
        'T' | 'X' => "00:00:00",
        _ => "",
    }
}

/// Turns `{% generation %}` blocks, which mark text for training only, into blocks that Jinja knows.
fn without_generation_blocks(text: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{%") {
        let Some(length) = rest[start..].find("%}") else { break };
        let (before, tag) = (&rest[..start], &rest[start..start + length]);
        replaced.push_str(before);
        let name = tag[2..]
            .trim_matches(|character: char| matches!(character, '-' | '+') || character.is_whitespace());
        match name {
            "generation" => replaced.push_str(&tag.replacen("generation", "if true", 1)),
            "endgeneration" => replaced.push_str(&tag.replacen("endgeneration", "endif", 1)),
            _ => replaced.push_str(tag),
        }
        rest = &rest[start + length..];
    }
    replaced.push_str(rest);
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_fixed() {
        assert_eq!(strftime_now("%d %b %Y"), "26 Jul 2024");
        assert_eq!(strftime_now("%A, %-d %B %Y; %-m/%y %H:%M 100%"), "Friday, 26 July 2024; 7/24 00:00 100%");
    }

    #[test]
    fn generation_blocks_render_their_content() {
        let text = "a {%- generation -%} b {%- endgeneration %} c {% if false %}d{% endif %}";
        let jinja = Jinja::new(text).unwrap();
        let tokens = Tokens { bos: "", eos: "" };
        assert_eq!(jinja.render(&Value::from(()), tokens).unwrap(), "ab c ");
    }

    #[test]
    fn an_endless_template_is_stopped() {
        let text = "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}";
        let jinja = Jinja::new(text).unwrap();
        assert!(jinja.render(&Value::from(()), Tokens { bos: "", eos: "" }).is_err());
    }
}
