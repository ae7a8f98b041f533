import Testing

@testable import Resources

/// What cases as files cannot show: paths, and what other modules ask of the model.
@Suite struct TLSTests {
  private static let text = """
    listeners: [{name: a, address: ":443", tls: {clientCertificates: {ca: ca.pem}, tickets: {file: /run/a.key}}}]
    certificates: [{name: shop, certificate: tls/shop.pem, key: ../shop.key, ocsp: /var/shop.ocsp}]
    services: [{name: a, endpoints: ["a:1"], tls: {ca: a.pem, certificate: b.pem, key: b.key}}]
    """

  @Test(arguments: [
    ("/etc/penstock/penstock.yaml", nil, "/etc/penstock/"), ("conf/penstock.yaml", nil, "conf/"),
    ("penstock.yaml", nil, ""), ("/penstock.yaml", nil, "/"),
    ("conf/penstock.yaml", "/srv/conf", "/srv/conf/"), ("conf/penstock.yaml", "", ""),
  ])
  func relativePathsBeginAtTheFolderOfTheFile(path: String, folder: String?, prefix: String) throws {
    let configuration = try ConfigurationFile.load(text: Self.text, path: path, folder: folder)
    let certificate = configuration.certificates[0]
    #expect(certificate.chainPath == prefix + "tls/shop.pem")
    #expect(certificate.keyPath == prefix + "../shop.key")
    #expect(certificate.ocspPath == "/var/shop.ocsp")
    let tls = try #require(configuration.listeners[0].tls)
    #expect(tls.clientCertificates?.authoritiesPath == prefix + "ca.pem")
    #expect(tls.tickets == .files(["/run/a.key"]))
    #expect(configuration.services[0].tls?.authoritiesPath == prefix + "a.pem")
    #expect(configuration.services[0].tls?.clientCertificate?.chainPath == prefix + "b.pem")
    #expect(configuration.services[0].tls?.clientCertificate?.keyPath == prefix + "b.key")
  }

  /// `/config` can be saved anywhere, where the paths were absolute.
  @Test func writtenPathsStayWhenTheFileMoves() throws {
    let first = try ConfigurationFile.load(text: Self.text, path: "/etc/penstock.yaml")
    #expect(try ConfigurationFile.load(text: first.yaml, path: "/tmp/other.yaml") == first)
  }

  @Test func routesInheritWhatTheyDoNotSay() {
    #expect(Override<Int>.resolve(nil, inherited: 1) == 1)
    #expect(Override<Int>.resolve(nil, inherited: nil) == nil)
    #expect(Override<Int>.resolve(.off, inherited: 1) == nil)
    #expect(Override<Int>.resolve(.on(2), inherited: 1) == 2)
  }

  @Test func strictTransportSecurityAsAField() {
    var hsts = StrictTransportSecurity()
    #expect(hsts.fieldValue == "max-age=31536000")
    hsts.includeSubdomains = true
    #expect(hsts.fieldValue == "max-age=31536000; includeSubDomains")
    hsts.preload = true
    hsts.maxAge = .zero
    #expect(hsts.fieldValue == "max-age=0; includeSubDomains; preload")
  }

  @Test func checksReachEndpointsAsRequestsDo() {
    var service = Service(name: "a", endpoints: [])
    var check = HealthCheck(probe: .tcp)
    service.health = check
    #expect(service.healthTLS == nil)
    service.tls = ServiceTLS()
    #expect(service.healthTLS == service.tls)
    check.tls = .off
    service.health = check
    #expect(service.healthTLS == nil)
    var other = ServiceTLS()
    other.verify = false
    check.tls = .on(other)
    service.health = check
    #expect(service.healthTLS == other)
  }

  @Test func certificatesAreServedByAllListenersUnlessTheySayWhich() {
    var certificate = CertificateSpec(name: "a", chainPath: "a", keyPath: "b")
    #expect(certificate.isServed(by: "web"))
    certificate.listeners = ["secure"]
    #expect(!certificate.isServed(by: "web"))
    #expect(certificate.isServed(by: "secure"))
  }
}

@Suite struct GRPCMatchTests {
  @Test(arguments: [
    (GRPCMatch(service: "orders.v1.Orders", method: "Get"), PathMatch.exact("/orders.v1.Orders/Get")),
    (GRPCMatch(service: "orders.v1.Orders"), .prefix("/orders.v1.Orders")),
    (GRPCMatch(method: "Get"), .regex("/[^/]+/Get")),
    (GRPCMatch(), .prefix("/")),
  ])
  func standsForConditionsThatOtherMatchesHaveToo(grpc: GRPCMatch, path: PathMatch) {
    let match = Match(grpc: grpc)
    #expect(match.path == path)
    #expect(match.methods == ["POST"])
    #expect(match.headers.map(\.name) == ["content-type"])
    #expect(match.grpc == grpc)
  }

  @Test func otherConditionsAreNoGRPCMethod() {
    let grpc = Match(grpc: GRPCMatch(service: "a", method: "b"))
    var other = grpc
    other.methods = ["PUT"]
    #expect(other.grpc == nil)
    other = grpc
    other.headers = []
    #expect(other.grpc == nil)
    other = grpc
    other.query = [FieldMatch(name: "a", value: .exact("b"))]
    #expect(other.grpc == nil)
    for path: PathMatch in [
      .exact("/a"), .exact("/a/b/c"), .exact("/a/9"), .exact("/a-b/c"), .prefix("/a/b"), .regex("/a/b"),
      .regex("/[^/]+/.*"), .exact("//a"), .exact("/a/"),
    ] {
      other = grpc
      other.path = path
      #expect(other.grpc == nil, "\(path)")
    }
  }

  @Test(arguments: [
    ("application/grpc", true), ("application/grpc+proto", true), ("Application/gRPC", true),
    ("application/grpc;charset=utf-8", true), ("application/grpc ; a=b", true),
    ("application/grpc+json", true),
    ("application/grpc-web", false), ("application/grpc-web+proto", false), ("application/json", false),
    ("application/grpcx", false), ("", false), ("text/application/grpc", false),
  ])
  func contentTypesOfGRPC(type: String, isGRPC: Bool) throws {
    let expression = try RegularExpression(GRPCMatch.contentTypePattern)
    let bytes = Array(type.utf8)
    #expect(expression.matchesWhole(bytes.span) == isGRPC)
  }
}
