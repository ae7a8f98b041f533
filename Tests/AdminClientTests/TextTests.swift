import Resources
import Testing

@testable import AdminClient

@Suite struct TextTests {
  @Test(arguments: [
    "{name: shop, hosts: [a.example, \"*.b.example\"], match: [{path: /x, headers: {X-Beta: \"1\"}}, {path: {exact: /y}}]}",
    "{a: \"\", b: \"on\", c: \"1e3\", d: \"2001-01-01\", e: \"12:30\", f: \"0x1F\", g: \"- x\", h: \"a: b\", i: \"a #b\"}",
    "{a: [], b: {}, c: [[1, 2], [{x: y}]], d: [{}], e: null, f: 5s, g: 10MiB, h: \"~\", i: \"tail:\", j: \" x\"}",
    "{pem: \"-----BEGIN X-----\\nabc\\n-----END X-----\\n\", open: \"a\\nb\", odd: \"a\\n\\n\", lead: \" a\\nb\", tab: \"a\\tb\\n\\u001B[31m\"}",
    "{\"key: with\": \"gr\\u00FCn \\u2028 \\u202E \\\"quoted\\\" \\\\ back\", \"5\": 5}",
  ])
  func yamlReadsAsTheSame(source: String) throws {
    let body = try ResourceBody(yaml: source)
    let written = YAMLText.document(body)
    #expect(try ResourceBody(yaml: written).json == body.json, "\(written)")
    #expect(written.unicodeScalars.allSatisfy { $0 == "\n" || !TerminalText.isControl($0) })
  }

  @Test func yamlIsForPeople() throws {
    let body = try ResourceBody(
      json: Array(
        #"{"name":"shop","hosts":["a.example"],"count":1,"t":"5s","z":"1","pem":"a\nb\n","m":[{"path":"/x","g":{}}]}"#
          .utf8))
    #expect(
      YAMLText.document(body) == """
        name: shop
        hosts:
          - a.example
        count: 1
        t: 5s
        z: "1"
        pem: |
          a
          b
        m:
          - path: /x
            g: {}

        """)
  }

  @Test func jsonReadsAsTheSame() throws {
    let body = try ResourceBody(json: Array(#"{"a":[1,{"b":"c\n"},[]],"d":{},"e":null}"#.utf8))
    let text = JSONLayout.text(body)
    #expect(try ResourceBody(json: Array(text.utf8)).json == body.json)
    #expect(text.hasPrefix("{\n  \"a\": [\n    1,\n    {\n      \"b\": \"c\\n\"\n    },\n    []\n  ],\n"))
  }

  private func resource(_ kind: ResourceKind, _ yaml: String) throws -> RemoteResource {
    let body = try ResourceBody(yaml: yaml)
    let item =
      "{\"name\":\"\(body["name"]?.text ?? "")\",\"revision\":3,\"owner\":\"store\",\"resource\":\(body.json)}"
    return try RemoteResource(ResourceBody(json: Array(item.utf8)), kind: kind)
  }

  @Test func tablesHaveTheColumnsOfTheirKind() throws {
    let routes = [
      try resource(
        .routes, "{name: shop, hosts: [a.x, b.x, c.x], match: [{path: {exact: /y}}, {path: /z}], service: s}"),
      try resource(.routes, "{name: a, backends: [{service: s}, {service: t}]}"),
    ]
    #expect(
      ResourceTable.text(routes, of: .routes) == """
        NAME  HOSTS          PATHS    SERVICE  REVISION  OWNER
        shop  a.x, b.x (+1)  =/y, /z  s        3         store
        a     *              /        s, t     3         store

        """)
    let service = try resource(
      .services, "{name: s, endpoints: [\"h:1\", {address: \"h:2\"}], balance: {policy: hash}}")
    #expect(
      ResourceTable.text([service], of: .services).contains(
        "s     h:1, h:2   http/1.1  hash     3         store"))
    let listener = try resource(.listeners, "{name: web, address: \":443\", tls: {profile: modern}}")
    #expect(ResourceTable.text([listener], of: .listeners).contains("web   :443     on   3"))
    let certificate = try resource(.certificates, "{name: c, hosts: [a.x], default: true}")
    #expect(ResourceTable.text([certificate], of: .certificates).contains("c     a.x    yes      3"))
  }

  @Test func listsAreFilesThatCanBeApplied() throws {
    let routes = [
      try resource(.routes, "{name: shop, service: s}"), try resource(.routes, "{name: b, service: s}"),
    ]
    for text in [ResourceListText.yaml(routes, of: .routes), ResourceListText.json(routes, of: .routes)] {
      let (operations, _) = try TransactionReader.read(ResourceBody(yaml: text))
      #expect(operations.map(\.id.description) == ["routes/shop", "routes/b"])
    }
    #expect(ResourceListText.yaml([], of: .routes) == "routes: []\n")
  }

  @Test func explanationIsInTheOrderOfARequest() throws {
    let explanation = try ResourceBody(
      json: Array(
        #"""
        {"nearMisses":[{"route":"old","host":"*.example","pathKind":"prefix","path":"/","reason":"method",\
        "detail":"it takes GET only"}],"isNearMissesCutShort":true,\
        "listener":{"name":"web","address":"0.0.0.0:443","reason":"the URL's port"},"outcome":"proxied",\
        "certificate":{"name":"shop","keyKind":"ECDSA","match":"exact","host":"shop.example","notAfter":1767225600,\
        "alternatives":["shop-rsa"]},"route":{"name":"shop","host":"shop.example","match":1,"pathKind":"prefix",\
        "path":"/cart","reason":"a longer prefix comes first"},"summary":"Route shop sends it to carts.",\
        "backends":[{"service":"carts","weight":9,"share":0.9,"balance":"hash","key":"header x-user",\
        "endpointCount":60,"endpoints":[{"name":"carts.internal:80","address":"10.0.0.1:80","weight":1,\
        "isHealthy":true,"inFlight":3,"mayBePicked":true,"isPicked":true},{"name":"10.0.0.2:80",\
        "address":"10.0.0.2:80","weight":2,"isHealthy":false,"ejectedForSeconds":2.25,"inFlight":0,\
        "mayBePicked":false,"isPicked":false}]},{"service":"next","share":0.1,"endpoints":[]}]}
        """#.replacing("\\\n", with: "").utf8))
    var question = ExplainQuestion(url: "https://shop.example/cart")
    question.method = "POST"
    #expect(
      ExplanationText.text(explanation, of: question) == """
        POST https://shop.example/cart
          listener     web: 0.0.0.0:443, the URL's port
          certificate  shop: exact host shop.example, ECDSA, valid until 2026-01-01T00:00:00Z, or shop-rsa
          route        shop: host shop.example, prefix /cart, match[1], a longer prefix comes first
          service      carts: 90 % of the requests, hash, by header x-user
                         10.0.0.1:80 (carts.internal:80): weight 1, healthy, 3 in flight, this request's
                         10.0.0.2:80: weight 2, unhealthy, ejected for 2.3 s, gets none
                         … and 58 more
          service      next: 10 % of the requests
                         no endpoint
          outcome      proxied: Route shop sends it to carts.
        near misses:
          old: host *.example, prefix /: it takes GET only
          … and more

        """)
  }

  @Test func explanationOfARequestThatGoesNowhere() throws {
    let explanation = try ResourceBody(
      json: Array(
        #"""
        {"outcome":"noListener","summary":"No listener takes such a request.","listener":null,"backends":[],
         "listenersConsidered":[{"name":"web\u001b[2J","address":"127.0.0.1:80","reason":"another port"}]}
        """#.utf8))
    #expect(
      ExplanationText.text(explanation, of: ExplainQuestion(url: "http://a.example:81/")) == """
        GET http://a.example:81/
          listener     none
                       not web [2J: 127.0.0.1:80, another port
          outcome      noListener: No listener takes such a request.

        """)
  }
}
