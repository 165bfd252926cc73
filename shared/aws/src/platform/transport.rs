//! The HTTPS client that all AWS clients of a function share: one set of connections, one TLS configuration.

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::region::Region;

use crate::config::Lookup;

/// The roots of Amazon Trust Services (Amazon Root CA 1 to 4 and Starfield Services Root CA G2), as published at
/// <https://www.amazontrust.com/repository/>. The first of them ends on 2037-12-31.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

/// Variables by which somebody says whom to trust, or puts a proxy in between that may sign by itself.
const CHOSEN: [&str; 6] =
    ["SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// Regions outside AWS's commercial partition and `GovCloud`: their endpoints may be signed by others.
const ELSEWHERE: [&str; 4] = ["cn-", "us-iso", "eu-iso", "eusc-"];

/// The client, with the proxies of the environment, as the SDK's own has them.
pub(super) fn https_client(lookup: Lookup<'_>, region: Option<&Region>) -> SharedHttpClient {
    let trusted = if amazon_signs(lookup, region) {
        TrustStore::empty().with_pem_certificate(AMAZON_ROOTS)
    } else {
        TrustStore::default()
    };
    let context = TlsContext::builder().with_trust_store(trusted).build().unwrap_or_default();
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = ConnectorBuilder::default()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(context.clone())
            .proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
        connector.build()
    })
}

/// Whether every call goes to an endpoint that Amazon's own authority signs. Then its five roots are enough, and the
/// system's hundreds are neither read nor parsed: that took two thirds of a function's start. An endpoint without
/// TLS needs no roots at all.
fn amazon_signs(lookup: Lookup<'_>, region: Option<&Region>) -> bool {
    let chosen = CHOSEN.iter().any(|name| lookup(name).is_some_and(|value| !value.is_empty()));
    let elsewhere =
        region.is_some_and(|region| ELSEWHERE.iter().any(|start| region.as_ref().starts_with(start)));
    let endpoint = lookup("AWS_ENDPOINT_URL").is_some_and(|url| !url.starts_with("http://"));
    !(chosen || elsewhere || endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Platform;

    fn signs(variables: &[(&str, &str)], region: &str) -> bool {
        let lookup = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        amazon_signs(&lookup, Some(&Region::new(region.to_owned())))
    }

    #[test]
    fn amazons_roots_are_enough_for_its_own_endpoints_only() {
        assert!(signs(&[], "eu-central-1"));
        assert!(signs(&[], "us-gov-west-1"));
        assert!(signs(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")], "us-east-1"));
        for region in ["cn-north-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "eusc-de-east-1"] {
            assert!(!signs(&[], region), "{region}");
        }
        for (name, value) in [
            ("AWS_ENDPOINT_URL", "https://table.example.com"),
            ("SSL_CERT_FILE", "/etc/pki/tls/certs/ca-bundle.crt"),
            ("HTTPS_PROXY", "http://proxy.example.com:3128"),
        ] {
            assert!(!signs(&[(name, value)], "us-east-1"), "{name}");
        }
    }

    #[test]
    fn the_roots_are_five_that_the_tls_library_takes() {
        let roots = std::str::from_utf8(AMAZON_ROOTS).unwrap();
        assert_eq!(roots.matches("BEGIN CERTIFICATE").count(), 5);
        // The first client parses them, and panics on one that cannot be.
        drop(Platform::from_env(&|_| None).dynamodb());
    }
}
