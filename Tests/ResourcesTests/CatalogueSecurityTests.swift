import Testing

@testable import Resources

/// What depends on which listeners have TLS, and on which certificates there are.
@Suite struct CatalogueSecurityTests {
  private func bench() throws -> CatalogueBench {
    let bench = CatalogueBench()
    try bench.apply([
      "listeners/web": "{address: \":80\"}", "listeners/secure": "{address: \":443\", tls: true}",
      "services/a": "{endpoints: [\"a:1\"]}", "routes/a": "{hosts: [a], service: a}",
    ])
    return bench
  }

  @Test func redirectsNeedAPlainListener() throws {
    let bench = try bench()
    try bench.apply([
      "routes/r": "{hosts: [r], service: a, redirect: https}",
      "routes/named": "{hosts: [n], listeners: [web], redirect: https}",
    ])
    #expect(
      try bench.problems(["listeners/web": "{address: \":80\", tls: true}"]) == [
        "routes/named: a route needs a service, or backends: "
          + "requests of listener \"web\" come with TLS, and are not redirected",
        "routes/named: redirect: all listeners of this route have tls: "
          + "only requests that come without are redirected",
        "routes/r: redirect: all listeners of this route have tls: "
          + "only requests that come without are redirected",
      ])
    #expect(
      try bench.problems(removes: ["listeners/web", "routes/named"]) == [
        "routes/r: redirect: all listeners of this route have tls: "
          + "only requests that come without are redirected"
      ])
    // Another plain one takes its place.
    try bench.apply(
      ["listeners/other": "{address: \":81\"}"], removes: ["listeners/web", "routes/named"])
  }

  @Test func hstsNeedsAListenerWithTLS() throws {
    let bench = try bench()
    try bench.apply(["routes/r": "{hosts: [r], service: a, hsts: 1d}"])
    let problem =
      "routes/r: hsts: no listener of this route has tls: browsers ignore the field on plain connections"
    #expect(try bench.problems(["listeners/secure": "{address: \":443\"}"]) == [problem])
    #expect(try bench.problems(removes: ["listeners/secure"]) == [problem])
    #expect(
      try bench.problems(["routes/r": "{hosts: [r], listeners: [web], service: a, hsts: 1d}"]) == [problem])
  }

  @Test func aRouteWithoutAServiceIsForPlainListeners() throws {
    let bench = CatalogueBench()
    try bench.apply(["listeners/web": "{address: \":80\"}", "routes/r": "{redirect: https}"])
    #expect(
      try bench.problems(["listeners/secure": "{address: \":443\", tls: true}"]) == [
        "routes/r: a route needs a service, or backends: "
          + "requests of listener \"secure\" come with TLS, and are not redirected"
      ])
    try bench.apply([
      "listeners/secure": "{address: \":443\", tls: true}", "routes/r": "{listeners: [web], redirect: https}",
    ])
  }

  @Test func certificatesNeedListenersWithTLS() throws {
    let bench = try bench()
    try bench.apply(["certificates/c": "{certificate: a.pem, key: a.key, listeners: [secure]}"])
    #expect(
      try bench.problems(["listeners/secure": "{address: \":443\"}"]) == [
        "certificates/c: listeners[0]: listener \"secure\" has no tls: add tls to it, or remove it here"
      ])
    try bench.apply(
      ["listeners/secure": "{address: \":443\"}", "certificates/c": "{certificate: a.pem, key: a.key}"])
  }

  @Test func listenersNeedCertificatesWhereNobodyElseBringsThem() throws {
    let bench = try bench()
    let catalogue = bench.catalogue
    catalogue.listenersNeedCertificates = true
    let unknownHost = "{address: \":444\", tls: {unknownHost: default}}"
    #expect(
      try bench.problems(["listeners/b": unknownHost]) == [
        "listeners/b: tls.unknownHost: no certificate is the default one: "
          + "write default: true with one, or refuse",
        "listeners/b: tls: there is no certificate for this listener: "
          + "add certificates: [{name: shop, certificate: shop.pem, key: shop.key}]",
      ])
    try bench.apply([
      "listeners/b": unknownHost,
      "certificates/c": "{certificate: a.pem, key: a.key, default: true, listeners: [b, secure]}",
    ])
    #expect(
      try bench.problems(["certificates/c": "{certificate: a.pem, key: a.key, listeners: [secure]}"]) == [
        "listeners/b: tls.unknownHost: no certificate is the default one: "
          + "write default: true with one, or refuse",
        "listeners/b: tls: there is no certificate for this listener: add \"b\" to the listeners of one",
      ])
    #expect(try bench.problems(removes: ["certificates/c"]).count == 3)
    try bench.apply(removes: ["certificates/c", "listeners/b", "listeners/secure"])
  }

  @Test func unknownHostsFollowTheDefaultCertificate() throws {
    let bench = try bench()
    let secure = { try #require(bench.catalogue.listener(named: "secure")?.value) }
    #expect(bench.catalogue.unknownHost(of: try secure()) == .refuse)
    try bench.apply(["certificates/c": "{certificate: a.pem, key: a.key, default: true}"])
    #expect(bench.catalogue.unknownHost(of: try secure()) == .defaultCertificate)
    try bench.apply(["listeners/secure": "{address: \":443\", tls: {unknownHost: refuse}}"])
    #expect(bench.catalogue.unknownHost(of: try secure()) == .refuse)
  }
}
