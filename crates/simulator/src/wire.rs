//! Requests as they arrive: JSON by POST, or a form by GET. Names and types are checked against the documents.

use serde_json::{Map, Value};

use crate::error::ApiError;

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A whole number.
    Integer,
    /// True or false.
    Flag,
    /// A list of texts.
    Texts,
    /// A list of whole numbers.
    Integers,
    /// A list of `{Name, Values}`.
    Filters,
    /// An object. It is accepted and not read.
    Object,
}

/// A parameter of the documented API.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// The name of the parameter.
    pub name: &'static str,
    /// The type of the parameter.
    pub kind: Kind,
    /// Whether a request must have it.
    pub required: bool,
}

/// The parameters of a request, checked against the documented names and types.
#[derive(Debug, Clone, Default)]
pub struct Parameters(Map<String, Value>);

impl Parameters {
    /// Checks names and types. A null value counts as absent.
    ///
    /// # Errors
    /// `UnknownParameter`, `MissingParameter`, or `InvalidParameter` for a value of the wrong type.
    pub fn check(raw: Map<String, Value>, known: &[Parameter]) -> Result<Self, ApiError> {
        let raw: Map<String, Value> = raw.into_iter().filter(|(_, value)| !value.is_null()).collect();
        if let Some(name) = raw.keys().find(|name| known.iter().all(|parameter| parameter.name != *name)) {
            return Err(ApiError::new("UnknownParameter", format!("the parameter `{name}` is not recognized")));
        }
        for Parameter { name, kind, required } in known {
            match raw.get(*name) {
                None if *required => {
                    return Err(ApiError::new("MissingParameter", format!("the parameter `{name}` is missing")));
                }
                Some(value) if !kind.fits(value) => {
                    let message = format!("the value of the parameter `{name}` has the wrong type");
                    return Err(ApiError::new("InvalidParameter", message));
                }
                _ => {}
            }
        }
        Ok(Self(raw))
    }

    /// The text of a parameter. None: the parameter is absent.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// The text of a parameter; empty when the parameter is absent.
    pub fn owned(&self, name: &str) -> String {
        self.text(name).unwrap_or_default().to_owned()
    }

    /// The text of a required parameter.
    ///
    /// # Errors
    /// `InvalidParameterValue` when the text is empty or absent.
    pub fn filled(&self, name: &str) -> Result<String, ApiError> {
        match self.text(name) {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(ApiError::value(format!("{name} must not be empty"))),
        }
    }

    /// The number of a parameter. None: the parameter is absent.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    /// The number of a parameter within a range, or `default` when the parameter is absent.
    ///
    /// # Errors
    /// `InvalidParameterValue` when the number is outside the range.
    pub fn within(&self, name: &str, range: std::ops::RangeInclusive<i64>, default: i64) -> Result<usize, ApiError> {
        let number = self.integer(name).unwrap_or(default);
        if !range.contains(&number) {
            let message = format!("{name} must be from {} to {}", range.start(), range.end());
            return Err(ApiError::value(message));
        }
        usize::try_from(number).map_err(|_| ApiError::value(format!("{name} is out of range")))
    }

    /// True only when the parameter is there and true.
    pub fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// The texts of a list; empty when the parameter is absent.
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.list(name).iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    /// The numbers of a list; empty when the parameter is absent.
    pub fn integers(&self, name: &str) -> Vec<i64> {
        self.list(name).iter().filter_map(Value::as_i64).collect()
    }

    /// The filters of a list, each with its name and values; empty when the parameter is absent.
    pub fn filters(&self, name: &str) -> Vec<(String, Vec<String>)> {
        let values = |filter: &Value| {
            let list = filter.get("Values").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let name_of = |filter: &Value| filter.get("Name").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.list(name).iter().map(|filter| (name_of(filter), values(filter))).collect()
    }

    fn list(&self, name: &str) -> &[Value] {
        self.0.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }
}

impl Kind {
    fn fits(self, value: &Value) -> bool {
        let all = |test: fn(&Value) -> bool| value.as_array().is_some_and(|list| list.iter().all(test));
        match self {
            Self::Text => value.is_string(),
            Self::Integer => value.is_i64(),
            Self::Flag => value.is_boolean(),
            Self::Texts => all(Value::is_string),
            Self::Integers => all(Value::is_i64),
            Self::Filters => all(|filter| {
                let texts = |list: &Vec<Value>| list.iter().all(Value::is_string);
                filter.get("Name").is_some_and(Value::is_string)
                    && filter.get("Values").and_then(Value::as_array).is_some_and(texts)
            }),
            Self::Object => value.is_object(),
        }
    }

    /// Reads the text of a form as this type. A text that does not fit stays a text, and is refused later.
    fn read(self, value: Value) -> Value {
        match (self, &value) {
            (Self::Integer, Value::String(text)) => text.parse::<i64>().map_or(value, Value::from),
            (Self::Flag, Value::String(text)) => match text.to_lowercase().as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => value,
            },
            (Self::Integers, Value::Array(list)) => list.iter().cloned().map(|item| Self::Integer.read(item)).collect(),
            _ => value,
        }
    }
}

/// Reads the body of a POST request. An empty body is an empty object.
///
/// # Errors
/// `InvalidParameter` when the body is not a JSON object.
pub fn decode_json(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err(ApiError::new("InvalidParameter", "the body is not a JSON object")),
    }
}

/// Reads the query of a GET request as an object: `List.0=a`, `Filters.0.Values.0=b`. Every value is a text, and a
/// space is `+`.
///
/// # Errors
/// `InvalidParameter` when the query is not well escaped or is not UTF-8.
pub fn decode_form(query: &str, known: &[Parameter]) -> Result<Map<String, Value>, ApiError> {
    let mut root = Value::Object(Map::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (unescape(name)?, unescape(value)?);
        let path: Vec<&str> = name.split('.').collect();
        put(&mut root, &path, Value::String(value));
    }
    let Value::Object(map) = listed(root) else { return Ok(Map::new()) };
    let kind = |name: &str| known.iter().find(|parameter| parameter.name == name).map(|parameter| parameter.kind);
    Ok(map
        .into_iter()
        .map(|(name, value)| {
            let value = kind(&name).map_or(value.clone(), |kind| kind.read(value));
            (name, value)
        })
        .collect())
}

fn put(into: &mut Value, path: &[&str], value: Value) {
    let Value::Object(map) = into else { return };
    match path {
        [] => {}
        [last] => {
            map.insert((*last).to_owned(), value);
        }
        [first, rest @ ..] => put(map.entry(*first).or_insert_with(|| Value::Object(Map::new())), rest, value),
    }
}

/// Turns objects whose names are all numbers into lists.
fn listed(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    let mut numbered: Vec<(u32, Value)> = Vec::new();
    for (name, inner) in &map {
        match name.parse() {
            Ok(number) => numbered.push((number, listed(inner.clone()))),
            Err(_) => return Value::Object(map.into_iter().map(|(name, inner)| (name, listed(inner))).collect()),
        }
    }
    if numbered.is_empty() {
        return Value::Object(map);
    }
    numbered.sort_by_key(|(number, _)| *number);
    Value::Array(numbered.into_iter().map(|(_, inner)| inner).collect())
}

fn unescape(text: &str) -> Result<String, ApiError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits = [rest.next().unwrap_or(0), rest.next().unwrap_or(0)];
                let decoded =
                    hex::decode(digits).map_err(|_| ApiError::new("InvalidParameter", "the query is malformed"))?;
                bytes.extend(decoded);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).map_err(|_| ApiError::new("InvalidParameter", "the query is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Parameter] = &[
        Parameter { name: "Limit", kind: Kind::Integer, required: false },
        Parameter { name: "Ids", kind: Kind::Texts, required: false },
        Parameter { name: "Filters", kind: Kind::Filters, required: false },
        Parameter { name: "Name", kind: Kind::Text, required: true },
    ];

    #[test]
    fn a_form_means_the_same_as_its_json() {
        let query = "Limit=5&Ids.0=a&Ids.1=b+c&Filters.0.Name=Region&Filters.0.Values.0=x%2Fy&Name=%E5%90%8D";
        let form = decode_form(query, KNOWN).unwrap();
        let json = decode_json(
            r#"{"Limit":5,"Ids":["a","b c"],"Filters":[{"Name":"Region","Values":["x/y"]}],"Name":"名"}"#.as_bytes(),
        )
        .unwrap();
        assert_eq!(form, json);
        assert!(Parameters::check(form, KNOWN).is_ok());
    }

    #[test]
    fn names_types_and_absence_are_told_apart() {
        let code = |json: &str| Parameters::check(decode_json(json.as_bytes()).unwrap(), KNOWN).unwrap_err().code;
        assert_eq!(code(r#"{"Nmae":"x"}"#), "UnknownParameter");
        assert_eq!(code(r#"{"Limit":1}"#), "MissingParameter");
        assert_eq!(code(r#"{"Name":null}"#), "MissingParameter");
        assert_eq!(code(r#"{"Name":"x","Limit":"1"}"#), "InvalidParameter");
        assert_eq!(code(r#"{"Name":"x","Ids":["a",1]}"#), "InvalidParameter");
    }
}
