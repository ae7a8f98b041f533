import Foundation
import Plugins
import Testing

@testable import Admin
@testable import Resources

@Suite("OpenAPI document")
struct OpenAPITests {
  private let routes = AdminRoutes(
    gateway: FakeBackend(), resources: FakeResources(), limits: AdminServer.Limits()
  ).all

  private func document() throws -> [String: Any] {
    let text = OpenAPIDocument.make(routes).text
    return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  private func schemas() throws -> [String: Any] {
    try #require((try document()["components"] as? [String: Any])?["schemas"] as? [String: Any])
  }

  private typealias Operation = (path: String, method: String, content: [String: Any])

  private func operations() throws -> [Operation] {
    let paths = try #require(try document()["paths"] as? [String: [String: [String: Any]]])
    return paths.flatMap { path, methods in methods.map { (path, $0.key, $0.value) } }
  }

  @Test("It is served as it is made")
  func served() async throws {
    try await AdminTestServer.run { server in
      let answer = try await server.send("GET", "/openapi.json")
      #expect(answer.headers["content-type"] == "application/json")
      #expect(answer.body == OpenAPIDocument.make(routes).text + "\n")
      #expect(try answer.object()["openapi"] as? String == "3.1.1")
    }
  }

  @Test("It has the router's routes, methods and statuses, and no others")
  func routesAgree() throws {
    var documented: Set<String> = []
    for operation in try operations() {
      let responses = try #require(operation.content["responses"] as? [String: Any])
      for status in responses.keys { documented.insert("\(operation.method) \(operation.path) \(status)") }
    }
    var known: Set<String> = []
    for route in routes {
      for status in route.statuses {
        known.insert("\(route.method.rawValue.lowercased()) \(route.path.text) \(status)")
      }
    }
    #expect(documented == known)
    let ids = routes.map(\.operation.id)
    #expect(Set(ids).count == ids.count)
    #expect(Set(routes.map { "\($0.method) \($0.path.text)" }).count == routes.count)
  }

  @Test("Over HTTP, a path has the methods that are documented, and no others")
  func methodsAgree() async throws {
    let operations = try operations()
    try await AdminTestServer.run { server in
      for path in Set(operations.map(\.path)) {
        let documented = Set(operations.filter { $0.path == path }.map { $0.method.uppercased() })
        let target = path.replacing("{name}", with: "a").replacing("{revision}", with: "1")
          .replacing("{type}", with: "unauthorized")
        for method in ["GET", "PUT", "POST", "PATCH", "DELETE"] where !documented.contains(method) {
          let answer = try await server.send(method, target)
          #expect(answer.status == 405, "\(method) \(path)")
          let allowed = Set(answer.headers["allow"]?.components(separatedBy: ", ") ?? [])
          #expect(allowed.subtracting(["HEAD"]) == documented, "\(path)")
        }
      }
    }
  }

  @Test("Parameters of the query are those that routes take")
  func parametersAgree() throws {
    for operation in try operations() {
      let parameters = operation.content["parameters"] as? [[String: Any]] ?? []
      let route = try #require(
        routes.first {
          $0.path.text == operation.path && $0.method.rawValue.lowercased() == operation.method
        })
      let inQuery = parameters.filter { $0["in"] as? String == "query" }.compactMap { $0["name"] as? String }
      #expect(inQuery == route.operation.queryNames)
      let inPath = parameters.filter { $0["in"] as? String == "path" }.compactMap { $0["name"] as? String }
      #expect(inPath == route.path.parameters)
    }
  }

  // MARK: Schemas

  /// Readers of resources, and the schema that says the same.
  private let readers: [(schema: String, keys: [String])] = [
    ("Listener", ListenerReader.keys), ("ListenerTLS", ListenerTLSReader.keys),
    ("ClientCertificates", ListenerTLSReader.clientKeys), ("SessionTickets", ListenerTLSReader.ticketKeys),
    ("Redirect", HTTPSOnlyReader.redirectKeys), ("HSTS", HTTPSOnlyReader.hstsKeys),
    ("Certificate", CertificateReader.keys), ("Service", ServiceReader.keys),
    ("Endpoint", ServiceReader.endpointKeys), ("ServiceTLS", ServiceTLSReader.keys),
    ("ServiceHTTP2", HTTP2Reader.serviceKeys), ("HealthCheck", HealthReader.keys),
    ("Ejection", ServiceReader.ejectionKeys), ("ServiceTimeouts", ServiceReader.timeoutKeys),
    ("Retries", RetriesReader.keys), ("Pool", ServiceReader.poolKeys),
    ("ServiceLimits", ServiceReader.limitKeys), ("Route", RouteReader.keys), ("Match", MatchReader.keys),
    ("GRPCMatch", MatchReader.grpcKeys), ("Transaction", TransactionReader.keys),
    ("Operation", TransactionReader.operationKeys),
    ("ResourceDocument", ConfigurationReader.keys.filter { ResourceKind(rawValue: $0) != nil }),
  ]

  @Test("Every key that a reader takes is in its schema, and every key of the schema is taken")
  func keysAgree() throws {
    let schemas = try schemas()
    for (name, keys) in readers {
      let schema = try #require(schemas[name] as? [String: Any], "\(name)")
      let properties = try #require(schema["properties"] as? [String: Any], "\(name)")
      #expect(Set(properties.keys) == Set(keys), "\(name)")
      #expect(schema["additionalProperties"] as? Bool == false, "\(name)")
    }
  }

  @Test("Words and limits are those of the readers")
  func wordsAgree() throws {
    let schemas = try schemas()
    let condition = try #require((schemas["RetryCondition"] as? [String: Any])?["anyOf"] as? [[String: Any]])
    #expect(condition[1]["enum"] as? [String] == RetriesReader.words.map(\.word))
    let redirect = try #require((schemas["Redirect"] as? [String: Any])?["properties"] as? [String: Any])
    #expect((redirect["status"] as? [String: Any])?["enum"] as? [Int] == HTTPSRedirect.statuses.map(Int.init))
  }

  private func repositoryFile(_ path: String) -> URL {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: path)
  }

  @Test("Resources, as files and answers have them, fit their schemas", arguments: ["full", "tls", "canary"])
  func resourcesFit(file: String) throws {
    let validator = SchemaValidator(schemas: try schemas())
    let text = try String(contentsOf: repositoryFile("examples/\(file).yaml"), encoding: .utf8)
    let whole = try JSONSerialization.jsonObject(with: Data(try ResourceBody(yaml: text).json.utf8))
    let document = try #require(whole as? [String: Any])
    var count = 0
    for kind in ResourceKind.allCases {
      for written in document[kind.rawValue] as? [[String: Any]] ?? [] {
        try validator.validate(written, try validator.target(kind.schemaName), at: "\(kind) \(written)")
        count += 1
      }
    }
    let configuration = try ConfigurationFile.load(text: text, path: "a.yaml", plugins: .standard)
    let resources =
      configuration.listeners.map(Resource.listener) + configuration.services.map(Resource.service)
      + configuration.certificates.map(Resource.certificate) + configuration.routes.map(Resource.route)
      + configuration.consumers.map(Resource.consumer) + configuration.plugins.map(Resource.plugin)
    for resource in resources {
      let answer = try JSONSerialization.jsonObject(with: Data(resource.json.utf8))
      try validator.validate(answer, try validator.target(resource.id.kind.schemaName), at: "\(resource.id)")
    }
    #expect(resources.count == count)
    #expect(count > 0)
  }

  @Test("Wrong resources do not fit")
  func wrongResources() throws {
    let validator = SchemaValidator(schemas: try schemas())
    for (schema, json) in [
      ("Service", #"{"name":"a"}"#), ("Service", #"{"endpoints":["a:1"],"balance":"robin"}"#),
      ("Service", #"{"endpoints":["a:1"],"slowStart":"5 s"}"#),
      ("Listener", #"{"address":":1","tls":false}"#),
      ("Route", #"{"servise":"a"}"#), ("Route", #"{"backends":[{"service":"a","weight":1000001}]}"#),
      ("Match", #"{"headers":{"A":{"prefix":"x"}}}"#), ("HealthCheck", #"{"expect":[600]}"#),
    ] {
      let value = try JSONSerialization.jsonObject(with: Data(json.utf8))
      #expect(throws: SchemaValidator.Failure.self, "\(schema) \(json)") {
        try validator.validate(value, try validator.target(schema))
      }
    }
  }

  @Test("Every reference leads somewhere, every schema is used, and every example fits")
  func referencesAndExamples() throws {
    let document = try document()
    let schemas = try schemas()
    var used: Set<String> = []
    func walk(_ value: Any) {
      if let object = value as? [String: Any] {
        if let reference = object["$ref"] as? String { used.insert(reference) }
        for inner in object.values { walk(inner) }
      } else if let items = value as? [Any] {
        for item in items { walk(item) }
      }
    }
    walk(document)
    let inSchemas = Set(
      used.filter { $0.hasPrefix("#/components/schemas/") }.map { String($0.dropFirst(21)) })
    #expect(inSchemas == Set(schemas.keys))
    let headers = (document["components"] as? [String: Any])?["headers"] as? [String: Any] ?? [:]
    let inHeaders = Set(
      used.filter { $0.hasPrefix("#/components/headers/") }.map { String($0.dropFirst(21)) })
    #expect(inHeaders == Set(headers.keys))

    let validator = SchemaValidator(schemas: schemas)
    var examples = 0
    for operation in try operations() {
      let responses = operation.content["responses"] as? [String: [String: Any]] ?? [:]
      let bodies = [operation.content["requestBody"] as? [String: Any] ?? [:]] + Array(responses.values)
      for content in bodies.compactMap({ $0["content"] as? [String: [String: Any]] }).flatMap(\.values) {
        let schema = try #require(content["schema"] as? [String: Any])
        let several = (content["examples"] as? [String: [String: Any]] ?? [:]).values.compactMap {
          $0["value"]
        }
        for example in several + [content["example"]].compactMap({ $0 }) {
          try validator.validate(example, schema, at: "\(operation.method) \(operation.path)")
          examples += 1
        }
      }
    }
    #expect(examples > 100)
  }
}
