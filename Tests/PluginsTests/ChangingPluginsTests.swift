import Resources
import Testing

@testable import Plugins

/// Plugins that change requests or answer them, as parts of configurations.
@Suite struct ChangingPluginsTests {
  private func load(_ route: String) throws(ConfigurationErrors) -> Configuration {
    try ConfigurationFile.load(
      text: """
        listeners: [{name: web, address: "127.0.0.1:8080"}]
        services: [{name: shop, endpoints: ["127.0.0.1:9000"]}]
        routes:
          - \(route)
        """, path: "test.yaml", plugins: .standard)
  }

  private func errors(_ route: String) -> String {
    do throws(ConfigurationErrors) {
      _ = try load(route)
      return ""
    } catch {
      return error.description
    }
  }

  @Test(arguments: [
    "redirect: {uri: /a}", "mock: {}", "maintenance: {}", "mock: {examples: [{match: {method: GET}}]}",
  ])
  func aRouteNeedsNoServiceWhereAPluginAnswersAll(plugin: String) throws {
    let configuration = try load("{name: a, plugins: {\(plugin)}}")
    #expect(configuration.routes.first?.backends == [])
  }

  @Test(arguments: [
    "redirect: {uri: /a, regex: /b}", "mock: {trigger: {method: GET}}", "maintenance: {allow: {groups: [a]}}",
    "redirect: {uri: /a, enabled: false}", "fault: {abort: {status: 503}}", "rewrite: {uri: /a}", "cors: {}",
  ])
  func aRouteNeedsAServiceWhereSomethingGoesOn(plugin: String) {
    let errors = errors("{name: a, plugins: {\(plugin)}}")
    #expect(errors.contains("a route needs a service"), "\(errors)")
  }

  /// What is shown can be read again, and is the same.
  @Test(arguments: [
    "headers: {request: {set: {X-A: 'a: b # $uri'}, add: {X-B: '5$$'}, remove: [X-C], rename: {X-D: X-E}}, response: {remove: [Server]}}",
    "rewrite: {regex: [{match: '/a/(.*)', to: /$1}], host: 'a:1', query: {set: {'a b': ''}, add: {c: \"d\\ne\"}, remove: [e]}}",
    "rewrite: {replacePrefix: {from: /a, to: /}}", "rewrite: {stripPrefix: /a}", "rewrite: {uri: /a}",
    "redirect: {uri: 'https://a.test$request_uri', status: 308, regex: '/(.*)'}",
    "cors: {origins: ['https://a.test', 'null'], originExpressions: ['https://.*'], credentials: true, maxAge: 1h}",
    "mock: {status: 404, body: \"a\\n b\\n\\n\", headers: {X-A: b}, delay: 5ms, examples: [{match: {query: {a: ''}}, body: ' '}]}",
    "fault: {abort: {status: 503, percentage: 0.0001%}, delay: {duration: 1ms, percentage: 50}}",
    "maintenance: {allow: {networks: [10.0.0.0/8, '::1'], consumers: [a], groups: [b], headers: {X-A: b}}, retryAfter: 0s}",
    "request-size: {limit: 1KiB, requireContentLength: true}",
    "forward-auth: {service: shop, path: '/a?$args', host: 'a:1', requestMethod: POST, requestHeaders: [], extraHeaders: {X-A: $uri}, cache: {by: ['cookie:a', path], ttl: 1s, statuses: [200]}}",
    "mirror: {service: shop, path: /a, pathConcatMode: prefix, percentage: 0.5%, mirrorBody: false, maxBodySize: 0, timeout: 1ms}",
    "hmac-auth: {clockSkew: 10s, algorithms: [hmac-sha256], enforceHeaders: ['@request-target'], maxBodySize: 1KiB}",
    "jwt-auth: {issuers: [{issuer: a, audiences: [b], jwks: {url: 'https://a.test/k', refresh: 1m}}], claimsToHeaders: {a: X-A}}",
    "key-auth: {publicPaths: [{prefix: /a}, {exact: /}], loginPaths: [{prefix: /b}]}",
  ])
  func whatLoadsComesBackEqual(plugin: String) throws {
    let first = try load("{name: a, service: shop, plugins: {\(plugin)}}")
    let second = try ConfigurationFile.load(text: first.yaml, path: "written.yaml", plugins: .standard)
    #expect(first == second)
    #expect(first.yaml == second.yaml)
  }
}
