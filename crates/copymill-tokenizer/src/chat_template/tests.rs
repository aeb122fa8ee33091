use super::*;

const TOKENS: Tokens<'static> = Tokens { bos: "<s>", eos: "</s>" };

fn rendered(template: &str) -> Result<Vec<(Trust, String)>, String> {
    let template = ChatTemplate::from_text(template, TOKENS, true)?;
    Ok(template.render("SYSTEM", "USER").into_iter().map(|segment| (segment.trust, segment.text)).collect())
}

fn trusted(text: &str) -> (Trust, String) {
    (Trust::Template, text.to_owned())
}

fn untrusted(text: &str) -> (Trust, String) {
    (Trust::Untrusted, text.to_owned())
}

#[test]
fn texts_are_untrusted_and_everything_else_is_trusted() {
    let template = "{% for m in messages %}<|{{ m.role }}|>\n{{ m['content'].strip() }}<|end|>\n{% endfor %}\
                    {% if add_generation_prompt %}<|assistant|>\n{% endif %}";
    let expected = [
        trusted("<|system|>\n"),
        untrusted("SYSTEM"),
        trusted("<|end|>\n<|user|>\n"),
        untrusted("USER"),
        trusted("<|end|>\n<|assistant|>\n"),
    ];
    assert_eq!(rendered(template).unwrap(), expected);
}

#[test]
fn text_that_looks_like_jinja_is_not_evaluated() {
    let template =
        ChatTemplate::from_text("{{ messages[0].content }}|{{ messages[1].content }}", TOKENS, true);
    let segments = template.unwrap().render("{{ bos_token }}", "{% raise %}");
    assert_eq!(segments[0].text, "{{ bos_token }}");
    assert_eq!(segments[2].text, "{% raise %}");
}

#[test]
fn a_refused_system_role_moves_the_text_into_the_users_turn() {
    let template = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}\
                    [INST] {{ messages[0].content }} [/INST]";
    let expected = [trusted("[INST]"), untrusted(" SYSTEM\n\n"), untrusted("USER"), trusted(" [/INST]")];
    assert_eq!(rendered(template).unwrap(), expected);
}

#[test]
fn a_dropped_system_text_moves_into_the_users_turn() {
    let template = "{% for m in messages if m.role == 'user' %}<u>{{ m.content }}{% endfor %}";
    assert_eq!(rendered(template).unwrap(), [trusted("<u>"), untrusted("SYSTEM\n\n"), untrusted("USER")]);
}

#[test]
fn content_may_be_wanted_in_parts() {
    let template = "{% for m in messages %}<{{ m.role }}>{% for p in m.content %}{% if p.type == 'text' %}{{ p.text }}\
                    {% endif %}{% endfor %}{% endfor %}";
    let expected = [trusted("<system>"), untrusted("SYSTEM"), trusted("<user>"), untrusted("USER")];
    assert_eq!(rendered(template).unwrap(), expected);
}

#[test]
fn templates_that_change_the_texts_are_refused() {
    for (template, problem) in [
        ("{{ messages[1].content }}{{ messages[0].content }}", "before the system text"),
        ("{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}", "2 times"),
        ("{% for m in messages %}{{ m.content | upper }}{% endfor %}", "leaves the system text out"),
        ("{% for m in messages %}{{ m.content[:9] }}{% endfor %}", "leaves the system text out"),
        ("{{ messages | length }}", "leaves the system text out"),
        ("{% for m in messages %}", "unexpected end"),
        (
            "{% for m in messages %}{{ m.content }}{{ m.content | list | sort | join }}{% endfor %}",
            "depends on",
        ),
    ] {
        let refusal = rendered(template).unwrap_err();
        assert!(refusal.contains(problem), "{template}: {refusal}");
    }
}

#[test]
fn bos_is_left_to_the_tokenizer_or_written_once() {
    let text = "{{ bos_token }}<s>{% for m in messages %}<x>{{ m.content }}{% endfor %}";
    let first =
        |adds_bos| ChatTemplate::from_text(text, TOKENS, adds_bos).unwrap().render("s", "u").remove(0);
    assert_eq!(first(true).text, "<x>");
    assert_eq!(first(false).text, "<s><x>");
}

#[test]
fn spaces_before_a_text_are_tokenised_with_it() {
    let template = "{% for m in messages %}{{ m.role }}:  {{ m.content }}\n{% endfor %}assistant: ";
    let expected = [
        trusted("system:"),
        untrusted("  SYSTEM"),
        trusted("\nuser:"),
        untrusted("  USER"),
        trusted("\nassistant: "),
    ];
    assert_eq!(rendered(template).unwrap(), expected);
}

#[test]
fn an_opened_thought_is_closed() {
    let template = "{% for m in messages %}{{ m.content }}|{% endfor %}<think>\n";
    assert_eq!(rendered(template).unwrap().last(), Some(&trusted("|<think>\n\n</think>\n\n")));
}

#[test]
fn an_empty_text_leaves_no_segment() {
    let template = ChatTemplate::plain();
    assert_eq!(template.render("", "").len(), 0);
    assert_eq!(template.render("s", "").len(), 1);
}

#[test]
fn python_idioms_of_real_templates_work() {
    let template = "{%- set ns = namespace(first=true, text='') -%}\
        {%- if messages[0]['role'] == 'system' %}{%- set ns.text = messages[0]['content'] %}\
        {%- set messages = messages[1:] %}{%- endif -%}\
        {%- for message in messages -%}\
        {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}{{ raise_exception('order') }}{%- endif -%}\
        {%- set content = message.get('content', '') | trim -%}\
        {%- if tools is not none and tools is iterable and tools | length > 0 %}{{ tools | tojson }}{% endif -%}\
        {{- ('<<SYS>>\\n' ~ ns.text ~ '\\n<</SYS>>\\n\\n') if loop.first and ns.text is string else '' -}}\
        {%- if not content.startswith('/') and content.split('</think>')[-1].lstrip('\\n') -%}{{ content }}{%- endif -%}\
        {%- endfor -%}{{ strftime_now('%Y') }}{%- if enable_thinking is defined and not enable_thinking %}!{% endif %}";
    let expected = [
        trusted("<<SYS>>\n"),
        untrusted("SYSTEM"),
        trusted("\n<</SYS>>\n\n"),
        untrusted("USER"),
        trusted("2024!"),
    ];
    assert_eq!(rendered(template).unwrap(), expected);
}
