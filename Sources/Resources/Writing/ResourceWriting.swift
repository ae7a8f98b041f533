extension Resource {
  /// The resource as compact JSON, complete: defaults are written out, as in ``Configuration/yaml``. It
  /// reads as an equal resource, except that a private key is never written: a certificate that holds
  /// its PEM text has it under `certificate`, and no `key`.
  ///
  /// Pure, from any thread but a worker's.
  public var json: String { WrittenValue.mapping { write(to: &$0) }.json }

  /// The same as a YAML document.
  public var yaml: String {
    var writer = DocumentWriter()
    write(to: &writer)
    return YAMLWriter.document(writer.entries)
  }

  private func write(to writer: inout DocumentWriter) {
    switch self {
    case .listener(let listener): listener.write(to: &writer)
    case .service(let service): service.write(to: &writer)
    case .certificate(let certificate): certificate.write(to: &writer)
    case .route(let route): route.write(to: &writer)
    case .consumer(let consumer): consumer.write(to: &writer)
    case .plugin(let plugin): plugin.write(to: &writer)
    }
  }
}
