//! Prints the OpenAPI document: `cargo run -p tests --bin openapi > docs/openapi.json`.

fn main() {
    print!("{}", tests::openapi::text());
}
