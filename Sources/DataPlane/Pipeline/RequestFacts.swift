import HTTPCodec
import Runtime

/// What plugins may ask of a request: of one in flight, and of one that is explained and that nobody has sent.
public protocol RequestFacts {
  /// Calls with the head, and the bytes that its ranges are of.
  func withHead<R>(_ body: (borrowing RequestHead, Span<UInt8>) -> R) -> R
  /// The client's; nil where it is not known.
  var sender: SocketAddress? { get }
  /// Who calls, as far as that is known.
  var consumer: WorkerConsumer? { get }
  /// Names of what it is on its way to.
  var routeName: [UInt8] { get }
  var serviceName: [UInt8] { get }
  func withPath<R>(_ body: (Span<UInt8>) -> R) -> R
}

extension RequestFacts {
  /// Has a look at the value of the first field of a name; nil where there is none.
  /// - name: In lower case.
  public func withFirstField<R>(_ name: [UInt8], _ body: (Span<UInt8>) -> R) -> R? {
    withHead { head, bytes in
      for index in head.fields.indices
      where bytes.equalsIgnoringCase(head.fields[index].name, lowercase: name) {
        return body(bytes.extracting(head.fields[index].value.range))
      }
      return nil
    }
  }

  /// The same for the first cookie of a name, as it was sent.
  public func withCookie<R>(_ name: [UInt8], _ body: (Span<UInt8>) -> R) -> R? {
    withHead { head, bytes in
      for index in head.fields.indices where head.fields[index].known == .cookie {
        guard let range = bytes.cookieValue(named: name, in: head.fields[index].value) else { continue }
        return body(bytes.extracting(range.range))
      }
      return nil
    }
  }

  /// The same for the query's first parameter of a name, decoded.
  /// - name: Decoded, case-sensitive.
  public func withParameter<R>(_ name: [UInt8], _ body: (Span<UInt8>) -> R) -> R? {
    withHead { head, bytes in
      guard head.hasQuery, let range = bytes.decodedQueryValue(named: name, in: head.query) else {
        return nil
      }
      var value: [UInt8] = []
      bytes.percentDecode(range, into: &value)
      return body(value.span)
    }
  }

  /// Has a look at a part of the head.
  public func withPart<R>(_ part: (borrowing RequestHead) -> ByteRange, _ body: (Span<UInt8>) -> R) -> R {
    withHead { head, bytes in body(bytes.extracting(part(head).range)) }
  }
}

extension Exchange: RequestFacts {
  public func withHead<R>(_ body: (borrowing RequestHead, Span<UInt8>) -> R) -> R {
    let input = input
    return body(request, input.bytes)
  }

  public var sender: SocketAddress? { clientAddress }
}

extension ExplainedRequest: RequestFacts {
  public func withHead<R>(_ body: (borrowing RequestHead, Span<UInt8>) -> R) -> R { body(head, bytes.span) }
  public func withPath<R>(_ body: (Span<UInt8>) -> R) -> R { body(path.span) }
  /// Nobody has shown a credential.
  public var consumer: WorkerConsumer? { nil }
}
