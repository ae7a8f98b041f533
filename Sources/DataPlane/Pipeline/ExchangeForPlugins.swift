import HTTPCodec
import Resources
import Runtime

/// What plugins may ask an exchange, and have it do. On the worker's thread, within the plugin's calls.
///
/// Ranges of ``request`` are into `input.bytes`; take the buffer into a constant first.
extension Exchange {
  // MARK: The request

  /// The client's address: the peer's, or what a trusted peer says.
  public var clientAddress: SocketAddress { record.client }

  public var isTLS: Bool { client.isTLS }

  /// Whether the peer may say of others what they are called, and who the client is.
  public var isFromTrustedPeer: Bool { isPeerTrusted }

  public var routeName: [UInt8] { route?.nameBytes ?? [] }
  public var serviceName: [UInt8] { service?.nameBytes ?? [] }

  /// The path that routes are matched with: normalised, `/` where there is none.
  public func withPath<R>(_ body: (Span<UInt8>) -> R) -> R {
    if hasNormalisedPath {
      let path = normalisedPath
      return body(path.span)
    }
    if request.path.isEmpty {
      let root = data.rootPath
      return body(root.span)
    }
    let input = input
    return body(input.bytes.extracting(request.path.range))
  }

  /// The value of the first field of a name; nil where there is none.
  /// - name: In lower case.
  public func firstField(_ name: [UInt8]) -> ByteRange? {
    let input = input
    let bytes = input.bytes
    let fields = request.fields
    for index in fields.indices where bytes.equalsIgnoringCase(fields[index].name, lowercase: name) {
      return fields[index].value
    }
    return nil
  }

  /// Has a look at the value of each field of a name; on HTTP/1 and HTTP/2 alike, there may be several.
  /// - name: In lower case.
  public func withEachField(_ name: [UInt8], _ body: (Span<UInt8>) -> Void) {
    let input = input
    let bytes = input.bytes
    for field in request.fields where bytes.equalsIgnoringCase(field.name, lowercase: name) {
      body(bytes.extracting(field.value.range))
    }
  }

  /// Bytes of the request as an array.
  public func copy(_ range: ByteRange) -> [UInt8] { input.copy(range.range) }

  /// Keeps something of a plugin's until the exchange is over.
  public func keep(_ object: AnyObject, for plugin: Plugin) {
    keptForPlugins.append(KeptForPlugin(plugin: plugin, object: object))
  }

  /// What the plugin keeps, if anything.
  public func kept(for plugin: Plugin) -> AnyObject? {
    for kept in keptForPlugins where kept.plugin === plugin { return kept.object }
    return nil
  }

  // MARK: Who calls

  /// Says who calls: from here on the consumer's plugins count, and the endpoint is told. What was said before
  /// counts no more.
  public func identify(_ found: FoundCredential, credentialName: [UInt8] = []) {
    if consumer != nil {
      for name in ConsumerFields.all { requestEdits.drop(name) }
    }
    let consumer = found.consumer
    consumer.prepare()
    requestEdits.add(consumer.lines)
    self.consumer = consumer
    if !credentialName.isEmpty { requestEdits.add("X-Credential-Identifier", credentialName) }
  }

  // MARK: What goes to the endpoint

  /// Whether endpoints are told the request's name as `X-Request-ID`.
  public var sendsRequestName: Bool { http.addsRequestID }

  /// Calls the request by another name: in `X-Request-ID`, texts and the log.
  /// - body: Writes the name, which is a field's value, into the empty buffer.
  public func nameRequest(_ body: (Buffer) -> Void) {
    requestID.removeAll()
    body(requestID)
  }

  /// Fields of this name do not go to the endpoint.
  /// - name: In lower case.
  public func dropRequestField(_ name: [UInt8]) { requestEdits.drop(name) }

  public func dropRequestFields(_ names: FieldNames) { requestEdits.drop(names) }

  /// - lines: `name: value` and CRLF each.
  public func addRequestLines(_ lines: [UInt8]) { requestEdits.add(lines) }

  /// Sends this instead of path and query.
  /// - target: Begins with `/`; valid in a request line.
  public func rewriteTarget(_ target: [UInt8]) {
    rewrittenTarget.removeAll()
    rewrittenTarget.append(target)
  }

  /// The same by its parts: what a path's beginning is replaced by, the rest of it from an offset on, and the
  /// query as it is.
  public func rewriteTarget(prefix: [UInt8], pathFrom offset: Int) {
    let out = rewrittenTarget
    out.removeAll()
    out.append(prefix)
    withPath { out.append($0.extracting(offset..<$0.count)) }
    if request.hasQuery {
      out.append(UInt8(ascii: "?"))
      out.append(input, range: request.query.range)
    }
  }

  /// Another plugin has changed path or query.
  public var hasRewrittenTarget: Bool { !rewrittenTarget.isEmpty }

  /// Path and query as they are sent so far.
  public func target() -> [UInt8] {
    if !rewrittenTarget.isEmpty { return rewrittenTarget.copy(0..<rewrittenTarget.count) }
    var target = withPath { path in
      var bytes: [UInt8] = []
      bytes.reserveCapacity(path.count)
      for index in path.indices { bytes.append(path[index]) }
      return bytes
    }
    if request.hasQuery {
      target.append(UInt8(ascii: "?"))
      target += copy(request.query)
    }
    return target
  }

  /// Sends this as `Host`, or `:authority`.
  public func rewriteHost(_ host: [UInt8]) { rewrittenHost = host }

  // MARK: What goes to the client

  /// Fields of this name that an endpoint has sent do not go to the client.
  /// - name: In lower case.
  public func dropResponseField(_ name: [UInt8]) { responseEdits.drop(name) }

  public func dropResponseFields(_ names: FieldNames) { responseEdits.drop(names) }

  /// Lines that are added, `name: value` and CRLF each: whole ones may be appended.
  public var addedRequestLines: Buffer { requestEdits.lines }
  public var addedResponseLines: Buffer { responseEdits.lines }

  /// Adds lines in place: `name: value` and CRLF each.
  public func editResponseLines(_ body: (inout [UInt8]) -> Void) {
    var lines: [UInt8] = []
    body(&lines)
    responseEdits.add(lines)
  }

  /// - lines: `name: value` and CRLF each.
  public func addResponseLines(_ lines: [UInt8]) { responseEdits.add(lines) }
}
