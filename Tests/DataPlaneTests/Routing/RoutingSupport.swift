import HTTPCodec
import Resources

@testable import DataPlane

/// A request head that was written rather than parsed.
struct WrittenRequest {
  var host = ""
  var path = "/"
  var method = "GET"
  var query = ""
  var headers: [(name: String, value: String)] = []
  /// Index of a listener.
  var listener = 0

  init(_ path: String = "/", host: String = "") {
    self.path = path
    self.host = host
  }

  func method(_ method: String) -> WrittenRequest { with { $0.method = method } }
  func query(_ query: String) -> WrittenRequest { with { $0.query = query } }
  func header(_ name: String, _ value: String) -> WrittenRequest { with { $0.headers.append((name, value)) } }
  func listener(_ index: Int) -> WrittenRequest { with { $0.listener = index } }

  private func with(_ change: (inout WrittenRequest) -> Void) -> WrittenRequest {
    var copy = self
    change(&copy)
    return copy
  }

  /// The head, and the bytes that its ranges refer to.
  func head() -> (RequestHead, [UInt8]) {
    var bytes: [UInt8] = []
    func range(_ text: String) -> ByteRange {
      bytes += Array(text.utf8)
      return ByteRange(start: bytes.count - text.utf8.count, count: text.utf8.count)
    }
    var head = RequestHead()
    head.methodRange = range(method)
    head.method = Self.methods[method] ?? .other
    head.query = range(query)
    for header in headers {
      let known: KnownField = header.name.lowercased() == "cookie" ? .cookie : .other
      head.fields.append(Field(name: range(header.name), value: range(header.value), known: known))
    }
    return (head, bytes)
  }

  private static let methods: [String: HTTPMethod] = [
    "GET": .get, "HEAD": .head, "POST": .post, "PUT": .put, "DELETE": .delete, "CONNECT": .connect,
    "OPTIONS": .options, "TRACE": .trace, "PATCH": .patch,
  ]
}

extension RouteTable {
  convenience init(_ routes: [Route], listeners: [String] = [], seed: UInt64 = 1) {
    self.init(seed: seed)
    for (number, route) in routes.enumerated() { insert(route, number: number, listeners: listeners) }
  }

  /// Adds a route, or replaces the one of its number, at once; the number is its order.
  func insert(_ route: Route, number: Int, listeners: [String] = []) {
    stage(Self.entry(route, number: number, listeners: listeners))
    finish([number])
  }

  /// At once; says whether there was one.
  @discardableResult
  func remove(number: Int) -> Bool {
    let isThere = route(number: number) != nil
    stageRemoval(number: number)
    finish([number])
    return isThere
  }

  /// Makes what is staged take effect, and tidies up.
  func finish(_ numbers: [Int]) {
    flip()
    for number in numbers { _ = settle(number: number) }
    endChange()
  }

  static func entry(_ route: Route, number: Int, order: UInt64? = nil, listeners: [String] = []) -> RouteEntry
  {
    RouteEntry(
      number: number, order: order ?? UInt64(number), route: route,
      services: route.backends.indices.map { $0 },
      listeners: route.listeners.compactMap { listeners.firstIndex(of: $0) })
  }

  func route(for request: WrittenRequest) -> CompiledRoute? {
    let (head, bytes) = request.head()
    let host = Array(request.host.utf8)
    let path = Array(request.path.utf8)
    return route(
      listener: request.listener, host: host.span, hostHash: prepare(host: host.span), path: path.span,
      head: head,
      bytes: bytes.span)
  }
}

extension Route {
  /// A route with matches; without any, one for every path.
  init(_ name: String, hosts: [String] = [], _ matches: Match...) {
    self.init(name: name, backends: [Backend(service: "s")])
    self.hosts = hosts
    if !matches.isEmpty { self.matches = matches }
  }
}

extension Match {
  static func exact(_ path: String) -> Match { Match().with { $0.path = .exact(path) } }
  static func prefix(_ path: String) -> Match { Match().with { $0.path = .prefix(path) } }
  static func regex(_ pattern: String) -> Match { Match().with { $0.path = .regex(pattern) } }
  static var any: Match { Match() }

  func methods(_ methods: String...) -> Match { with { $0.methods = methods } }

  func header(_ name: String, _ value: String) -> Match {
    with { $0.headers.append(FieldMatch(name: name, value: .exact(value))) }
  }

  func header(_ name: String, regex: String) -> Match {
    with { $0.headers.append(FieldMatch(name: name, value: .regex(regex))) }
  }

  func query(_ name: String, _ value: String) -> Match {
    with { $0.query.append(FieldMatch(name: name, value: .exact(value))) }
  }

  func query(_ name: String, regex: String) -> Match {
    with { $0.query.append(FieldMatch(name: name, value: .regex(regex))) }
  }

  func with(_ change: (inout Match) -> Void) -> Match {
    var copy = self
    change(&copy)
    return copy
  }
}
