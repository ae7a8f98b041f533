import Resources

/// What `penstock run` serves without a file: a listener in front of two embedded origins.
public enum DefaultConfiguration {
  /// - Parameter origins: ports of the embedded origins on 127.0.0.1.
  public static func make(origins: [UInt16]) -> Configuration {
    var configuration = Configuration()
    configuration.listeners = [
      Listener(name: "web", address: HostPort(host: "127.0.0.1", port: 8_080))
    ]
    configuration.admin = Admin(address: HostPort(host: "127.0.0.1", port: 9_900))
    configuration.services = [
      Service(
        name: "echo",
        endpoints: origins.map { EndpointSpec(address: HostPort(host: "127.0.0.1", port: $0)) })
    ]
    configuration.routes = [Route(name: "everything", backends: [Backend(service: "echo")])]
    return configuration
  }
}

extension DefaultConfiguration {
  /// What to try next.
  public static let greeting = """

    Penstock serves http://127.0.0.1:8080 with a built-in configuration:
    one listener, one route, two echo origins that answer what they received.

      curl http://127.0.0.1:8080/hello            (a few times: both origins answer)
      curl 'http://127.0.0.1:8080/?status=503'    (an origin that fails)
      curl http://127.0.0.1:9900/metrics          (what is counted)
      curl http://127.0.0.1:9900/config           (what runs, as a file to start from)

    Your own configuration: save this one, end this gateway with Ctrl-C, put your servers under
    `endpoints:` (or start an origin to try with), and run it.

      curl -s http://127.0.0.1:9900/config > penstock.yaml
      penstock origin --port 9001 &
      penstock check penstock.yaml
      penstock run -c penstock.yaml

    """
}
