//! YAML with `CloudFormation`'s short tags, as JSON with the long form of every intrinsic function.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow, bail};
use serde_json::{Map, Number, Value, json};
use serde_yaml_ng::Value as Yaml;

/// Parses the YAML text of a template.
pub(super) fn from_yaml(text: &str) -> Result<Value> {
    convert(serde_yaml_ng::from_str(text)?)
}

fn convert(yaml: Yaml) -> Result<Value> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(flag) => Value::Bool(flag),
        Yaml::Number(number) => Value::Number(convert_number(&number)?),
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => Value::Array(items.into_iter().map(convert).collect::<Result<_>>()?),
        Yaml::Mapping(entries) => {
            let entries = entries.into_iter().map(|(key, value)| Ok((convert_key(key)?, convert(value)?)));
            Value::Object(entries.collect::<Result<Map<_, _>>>()?)
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            long_form(tag.trim_start_matches('!'), convert(tagged.value)?)
        }
    })
}

fn convert_number(number: &serde_yaml_ng::Number) -> Result<Number> {
    let integer = number.as_i64().map(Number::from).or_else(|| number.as_u64().map(Number::from));
    integer
        .or_else(|| number.as_f64().and_then(Number::from_f64))
        .with_context(|| format!("{number} has no JSON form"))
}

fn convert_key(key: Yaml) -> Result<String> {
    match convert(key)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        other @ (Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            Err(anyhow!("a key must be a string, not {other}"))
        }
    }
}

/// `!GetAtt Queue.Arn` and `Fn::GetAtt: [Queue, Arn]` are the same thing; keep the latter.
fn long_form(tag: &str, value: Value) -> Value {
    match (tag, value) {
        ("Ref" | "Condition", value) => json!({ tag: value }),
        ("GetAtt", Value::String(path)) => match path.split_once('.') {
            Some((id, attribute)) => json!({ "Fn::GetAtt": [id, attribute] }),
            None => json!({ "Fn::GetAtt": path }),
        },
        (_, value) => {
            let name = format!("Fn::{tag}");
            json!({ name: value })
        }
    }
}

/// The logical id that a `Ref` or `Fn::GetAtt` points to.
pub fn referenced(value: &Value) -> Option<&str> {
    let pointed = value.get("Ref").or_else(|| value.pointer("/Fn::GetAtt/0"));
    pointed.and_then(Value::as_str)
}

/// What `Ref` and `Fn::GetAtt` answer in one deployment.
#[derive(Debug, Clone, Default)]
pub struct Names {
    references: BTreeMap<String, String>,
    attributes: BTreeMap<(String, String), String>,
}

impl Names {
    /// Sets what `Ref` of this logical id, parameter or pseudo parameter answers.
    pub fn set_reference(&mut self, id: &str, value: impl Into<String>) {
        self.references.insert(id.to_owned(), value.into());
    }

    /// Sets what `Fn::GetAtt` of this logical id and attribute answers.
    pub fn set_attribute(&mut self, id: &str, attribute: &str, value: impl Into<String>) {
        self.attributes.insert((id.to_owned(), attribute.to_owned()), value.into());
    }

    /// Resolves a value of the template to the text that a deployed function sees.
    pub fn resolve(&self, value: &Value) -> Result<String> {
        match value {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            Value::Bool(flag) => Ok(flag.to_string()),
            Value::Object(call) => self.resolve_call(call),
            Value::Null | Value::Array(_) => bail!("{value} is not a text"),
        }
    }

    fn resolve_call(&self, call: &Map<String, Value>) -> Result<String> {
        let mut entries = call.iter();
        let (Some((name, argument)), None) = (entries.next(), entries.next()) else {
            bail!("expected one intrinsic function, found {call:?}");
        };
        match (name.as_str(), argument) {
            ("Ref", Value::String(id)) => self.reference(id),
            ("Fn::GetAtt", Value::Array(path)) => match path.as_slice() {
                [Value::String(id), Value::String(attribute)] => self.attribute(id, attribute),
                _ => bail!("cannot read Fn::GetAtt {argument}"),
            },
            ("Fn::Sub", Value::String(pattern)) => self.substitute(pattern, &Map::new()),
            ("Fn::Sub", Value::Array(arguments)) => match arguments.as_slice() {
                [Value::String(pattern), Value::Object(own)] => self.substitute(pattern, own),
                _ => bail!("cannot read Fn::Sub {argument}"),
            },
            _ => bail!("the local stage cannot resolve {name}"),
        }
    }

    fn reference(&self, id: &str) -> Result<String> {
        self.references.get(id).cloned().with_context(|| format!("nothing is named {id}"))
    }

    fn attribute(&self, id: &str, attribute: &str) -> Result<String> {
        let key = (id.to_owned(), attribute.to_owned());
        self.attributes.get(&key).cloned().with_context(|| format!("nothing is named {id}.{attribute}"))
    }

    fn substitute(&self, pattern: &str, own: &Map<String, Value>) -> Result<String> {
        let mut text = String::new();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, tail) = after.split_once('}').with_context(|| format!("unclosed ${{ in {pattern}"))?;
            text.push_str(before);
            match (name.strip_prefix('!'), own.get(name), name.split_once('.')) {
                (Some(literal), _, _) => text.push_str(&format!("${{{literal}}}")),
                (None, Some(value), _) => text.push_str(&self.resolve(value)?),
                (None, None, Some((id, attribute))) => text.push_str(&self.attribute(id, attribute)?),
                (None, None, None) => text.push_str(&self.reference(name)?),
            }
            rest = tail;
        }
        text.push_str(rest);
        Ok(text)
    }
}
