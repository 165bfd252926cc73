use crate::{Options, Stage};

#[tokio::test]
async fn the_product_starts_from_the_template_of_the_workspace() {
    let stage = Stage::start(Options::default()).await.unwrap();
    assert_eq!(stage.root_key().len(), 48);
    let http = reqwest::Client::new();
    for route in stage.template().routes() {
        let path = route.path.replace("+}", "}");
        let url = format!("{}{path}", stage.base_url());
        let method = route.method.parse().unwrap();
        let answer = http.request(method, url).body("{}").send().await.unwrap();
        assert!(!answer.status().is_server_error(), "{route:?}");
        // Whatever the function says to such a call, it is the function that says it, and it knows the route.
        assert!(answer.headers().contains_key("request-id"), "{route:?}");
        let text = answer.text().await.unwrap();
        assert!(
            !text.contains("route_not_found") && !text.contains("method_not_allowed"),
            "{route:?}: {text}"
        );
    }
}
