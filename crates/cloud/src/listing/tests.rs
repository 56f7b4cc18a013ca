use std::sync::Mutex;

use futures::FutureExt;
use serde_json::{Value, json};

use super::*;
use crate::decode;

const SHAPE: Shape =
    Shape { action: "List", rows: "Rows", total: "Total", identity: decode::deal_identity, maybe_pages: false };

fn row(value: Value) -> Row {
    // Through the reader, as in life.
    let body = json!({"Response": value}).to_string().into_bytes();
    let credentials = crate::Credentials::new("id".into(), "key".into()).unwrap();
    decode::read("List", crate::transport::Answer { status: 200, body }, &credentials).unwrap()
}

fn page(ids: std::ops::Range<usize>, total: Value) -> Row {
    row(json!({"Rows": ids.map(|id| json!({"OrderId": format!("o-{id}")})).collect::<Vec<_>>(), "Total": total}))
}

/// Answers with these pages one after the other, then with the last for ever; and the offsets asked for.
async fn offsets(shape: Shape, pages: Vec<Row>) -> (Result<Vec<Row>, CallError>, Vec<usize>) {
    let asked = Mutex::new(Vec::new());
    let result = by_offset(shape, |offset| {
        let mut asked = asked.lock().unwrap();
        let page = pages[asked.len().min(pages.len() - 1)].clone();
        asked.push(offset);
        async move { Ok(page) }.boxed()
    })
    .await;
    let asked = asked.lock().unwrap().clone();
    (result, asked)
}

async fn tokens(pages: Vec<Row>) -> (Result<Vec<Row>, CallError>, Vec<Option<String>>) {
    let asked = Mutex::new(Vec::new());
    let result = by_token(SHAPE, |token| {
        let mut asked = asked.lock().unwrap();
        let page = pages[asked.len().min(pages.len() - 1)].clone();
        asked.push(token);
        async move { Ok(page) }.boxed()
    })
    .await;
    let asked = asked.lock().unwrap().clone();
    (result, asked)
}

fn token_page(ids: std::ops::Range<usize>, next: Value) -> Row {
    row(json!({"Rows": ids.map(|id| json!({"OrderId": format!("o-{id}")})).collect::<Vec<_>>(), "NextToken": next}))
}

#[tokio::test]
async fn every_page_is_read() {
    let (rows, asked) =
        offsets(SHAPE, vec![page(0..100, json!(250)), page(100..200, json!(250)), page(200..250, json!("250"))]).await;
    assert_eq!((rows.unwrap().len(), asked), (250, vec![0, 100, 200]));
}

#[tokio::test]
async fn a_server_that_gives_smaller_pages_is_followed() {
    let (rows, asked) = offsets(SHAPE, vec![page(0..40, json!(70)), page(40..70, json!(70))]).await;
    assert_eq!((rows.unwrap().len(), asked), (70, vec![0, 40]));
}

#[tokio::test]
async fn a_total_that_changes_starts_the_list_over() {
    let pages = vec![
        page(0..100, json!(101)),
        page(100..101, json!(102)),
        page(0..100, json!(101)),
        page(100..101, json!(101)),
    ];
    let (rows, asked) = offsets(SHAPE, pages).await;
    assert_eq!((rows.unwrap().len(), asked), (101, vec![0, 100, 0, 100]));
}

#[tokio::test]
async fn an_id_that_comes_again_on_a_later_page_starts_the_list_over() {
    // One was removed and one added in between: the total tells nothing.
    let pages =
        vec![page(0..100, json!(150)), page(99..149, json!(150)), page(1..101, json!(150)), page(101..151, json!(150))];
    let (rows, asked) = offsets(SHAPE, pages).await;
    assert_eq!((rows.unwrap().len(), asked), (150, vec![0, 100, 0, 100]));
}

#[tokio::test]
async fn a_list_that_never_stands_still_is_an_error_and_not_a_shorter_list() {
    let (rows, asked) = offsets(SHAPE, vec![page(0..100, json!(150))]).await;
    assert_eq!(rows.unwrap_err().category(), Category::Garbled);
    assert_eq!(asked.len(), 2 * (1 + START_OVERS));
}

#[tokio::test]
async fn rows_that_end_before_the_total_are_an_error() {
    let (rows, _) = offsets(SHAPE, vec![page(0..40, json!(70)), page(0..0, json!(70)), page(0..0, json!(70))]).await;
    assert_eq!(rows.unwrap_err().category(), Category::Garbled);
}

#[tokio::test]
async fn a_null_list_without_a_total_is_empty_and_a_missing_one_is_an_error() {
    assert!(offsets(SHAPE, vec![row(json!({"Rows": null, "Total": null}))]).await.0.unwrap().is_empty());
    assert!(offsets(SHAPE, vec![row(json!({"Total": 0}))]).await.0.unwrap().is_empty());
    assert!(offsets(SHAPE, vec![row(json!({"RequestId": "r"}))]).await.0.is_err());
    assert!(offsets(SHAPE, vec![row(json!({"Rows": null, "Total": 3}))]).await.0.is_err());
    assert!(tokens(vec![row(json!({"Rows": null, "NextToken": null}))]).await.0.unwrap().is_empty());
    assert!(tokens(vec![row(json!({"RequestId": "r"}))]).await.0.is_err());
}

#[tokio::test]
async fn a_full_page_without_a_total_is_an_error() {
    assert!(offsets(SHAPE, vec![page(0..100, json!(null))]).await.0.is_err());
    assert_eq!(offsets(SHAPE, vec![page(0..99, json!(null))]).await.0.unwrap().len(), 99);
}

#[tokio::test]
async fn an_offset_that_turns_out_to_count_pages_is_understood() {
    let shape = Shape { maybe_pages: true, ..SHAPE };
    let pages =
        vec![page(0..100, json!(150)), page(0..0, json!(150)), page(0..100, json!(150)), page(100..150, json!(150))];
    let (rows, asked) = offsets(shape, pages).await;
    assert_eq!((rows.unwrap().len(), asked), (150, vec![0, 100, 0, 1]));
}

#[tokio::test]
async fn elements_that_are_no_objects_count_as_rows() {
    let (rows, _) = offsets(SHAPE, vec![row(json!({"Rows": [null, {"OrderId": "o"}, 3], "Total": 3}))]).await;
    assert_eq!(rows.unwrap().len(), 3);
}

#[tokio::test]
async fn tokens_are_followed_to_the_end() {
    let (rows, asked) = tokens(vec![
        token_page(0..100, json!("t1")),
        token_page(100..100, json!("t2")),
        token_page(100..130, json!("")),
    ])
    .await;
    assert_eq!(rows.unwrap().len(), 130);
    assert_eq!(asked, [None, Some("t1".into()), Some("t2".into())]);
}

#[tokio::test]
async fn a_token_or_an_id_that_comes_again_starts_the_list_over() {
    let pages = vec![
        token_page(0..2, json!("t1")),
        token_page(2..3, json!("t1")),
        token_page(0..2, json!("t1")),
        token_page(1..3, json!(null)),
        token_page(0..2, json!("t1")),
        token_page(2..4, json!(null)),
    ];
    let (rows, asked) = tokens(pages).await;
    assert_eq!((rows.unwrap().len(), asked.len()), (4, 6));
}
