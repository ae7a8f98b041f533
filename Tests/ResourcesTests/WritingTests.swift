import Foundation
import Plugins
import Testing

@testable import Resources

/// What is written as JSON reads as what was written, for every configuration that the tests have.
@Suite struct WritingTests {
  private static let texts: [(name: String, text: String)] =
    CaseTests.names.map { ($0, CaseTests.folder.appending(path: $0 + ".yaml")) }
    .map { ($0.0, (try? String(contentsOf: $0.1, encoding: .utf8)) ?? "") }
    + CaseTests.exampleNames.map { name in
      (name, (try? String(contentsOf: CaseTests.examples.appending(path: name), encoding: .utf8)) ?? "")
    }

  static let configurations: [(name: String, configuration: Configuration)] = texts.compactMap { name, text in
    (try? ConfigurationFile.load(text: text, path: name, plugins: .standard)).map { (name, $0) }
  }

  /// JSON is YAML too.
  private func load(json: String) throws -> Configuration {
    try ConfigurationFile.load(text: json, path: "json", plugins: .standard)
  }

  @Test func thereAreConfigurations() {
    #expect(Self.configurations.count >= 30)
  }

  @Test(arguments: configurations.indices)
  func configurationsComeBackFromJSON(index: Int) throws {
    let (name, configuration) = Self.configurations[index]
    #expect(try load(json: configuration.json) == configuration, "\(name)")
    // The parser that reads what the store holds sees the same as the one that reads files.
    let parsed = try ResourceBody(json: Array(configuration.json.utf8))
    #expect(parsed.json == configuration.json)
    #expect(try ResourceBody(yaml: configuration.json).json == configuration.json)
  }

  @Test(arguments: configurations.indices)
  func resourcesAreWrittenAsTheirConfigurationIs(index: Int) throws {
    let configuration = Self.configurations[index].configuration
    func list(_ resources: [Resource]) -> String { "[" + resources.map(\.json).joined(separator: ",") + "]" }
    let json = configuration.json
    #expect(json.contains("\"listeners\":" + list(configuration.listeners.map(Resource.listener))))
    #expect(json.contains("\"certificates\":" + list(configuration.certificates.map(Resource.certificate))))
    #expect(json.contains("\"services\":" + list(configuration.services.map(Resource.service))))
    #expect(json.contains("\"routes\":" + list(configuration.routes.map(Resource.route))))
    for route in configuration.routes {
      #expect(try ResourceBody(yaml: Resource.route(route).yaml).json == Resource.route(route).json)
    }
  }

  @Test(arguments: configurations.indices)
  func resourcesComeBackFromJSONAndYAML(index: Int) throws {
    let (name, configuration) = Self.configurations[index]
    let resources =
      configuration.listeners.map(Resource.listener) + configuration.services.map(Resource.service)
      + configuration.certificates.map(Resource.certificate) + configuration.routes.map(Resource.route)
    for resource in resources {
      let json = try ResourceBody(json: Array(resource.json.utf8))
      #expect(
        try ResourceReader.read(resource.id, json, folder: "", plugins: .standard) == resource, "\(name)")
      let yaml = try ResourceBody(yaml: resource.yaml)
      #expect(
        try ResourceReader.read(resource.id, yaml, folder: "", plugins: .standard) == resource, "\(name)")
    }
  }

  @Test func valuesHaveTheirTypes() {
    var route = Route(name: "on", backends: [Backend(service: "1", weight: 3)])
    route.hosts = ["*.example.com"]
    route.hsts = .off
    #expect(
      Resource.route(route).json
        == #"{"name":"on","hosts":["*.example.com"],"match":[{"path":{"prefix":"/"}}],"#
        + #""backends":[{"service":"1","weight":3}],"upgrades":["websocket"],"hsts":"off"}"#)
    #expect(
      Resource.route(route).yaml == """
        name: "on"
        hosts: ["*.example.com"]
        match:
          - path: {prefix: /}
        backends:
          - service: "1"
            weight: 3
        upgrades: [websocket]
        hsts: off

        """)
  }

  private static let chain = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
  private static let key = "\n-----BEGIN PRIVATE KEY-----\nMIIC\n-----END PRIVATE KEY-----\n"

  private func configuration(withKey: Bool) throws -> Configuration {
    let pem = CertificatePEM(chain: Array(Self.chain.utf8), key: Array(Self.key.utf8))
    let resource = Resource.certificate(CertificateSpec(name: "shop", pem: pem))
    var text = JSONText()
    text.string(Self.key)
    let certificate = withKey ? resource.json.dropLast() + ",\"key\":\(text.text)}" : resource.json[...]
    return try load(
      json:
        "{\"listeners\":[{\"name\":\"a\",\"address\":\":443\",\"tls\":true}],\"certificates\":[\(certificate)]}"
    )
  }

  @Test func certificatesMayBeTexts() throws {
    let certificate = try #require(try configuration(withKey: true).certificates.first)
    #expect(certificate.chainPath.isEmpty && certificate.keyPath.isEmpty)
    #expect(certificate.pem == CertificatePEM(chain: Array(Self.chain.utf8), key: Array(Self.key.utf8)))
    #expect(certificate.pem != CertificatePEM(chain: Array(Self.chain.utf8), key: []))
    #expect(certificate.pem != nil)
  }

  @Test func privateKeysAreNotWritten() throws {
    let configuration = try configuration(withKey: true)
    let certificate = Resource.certificate(configuration.certificates[0])
    for text in [configuration.yaml, configuration.json, certificate.json, certificate.yaml] {
      #expect(text.contains("MIIB"))
      #expect(!text.contains("MIIC"))
      #expect(!text.contains("PRIVATE"))
    }
    // Who reads that again has to have the key from elsewhere.
    let read = try self.configuration(withKey: false).certificates.first?.pem
    #expect(read == CertificatePEM(chain: Array(Self.chain.utf8), key: []))
  }

  @Test func errorsDoNotShowKeys() {
    let text = """
      listeners: [{name: a, address: ":443", tls: true}]
      certificates:
        - {name: a, certificate: a.pem, key: "-----BEGIN PRIVATE KEY-----\\nMIIC"}
        - {name: b, certificate: "-----BEGIN CERTIFICATE-----", key: "-----BEGIN \(
          String(repeating: "MIIC", count: 100_000))"}
      """
    let errors = #expect(throws: ConfigurationErrors.self) {
      try ConfigurationFile.load(text: text, path: "t", plugins: .standard)
    }
    #expect(errors?.errors.count == 2)
    #expect(errors?.description.contains("MIIC") == false)
  }
}
