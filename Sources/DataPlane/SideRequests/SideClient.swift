import HTTPCodec
import Runtime

/// The client's side of a request of the gateway's own: an exchange serves it as it serves any client's, over a
/// transport in memory (docs/decisions/0022). To the exchange it is a client of HTTP/1.0, which gets content as it
/// is and no interim responses.
final class SideClient: ClientSide {
  private let request: SideRequest
  private let memory: SideTransport
  private var status: UInt16 = 0
  private var lines: [UInt8] = []
  private(set) var result = SideResult.cancelled
  /// Nobody waits for its response.
  let isUnattended: Bool
  /// Its place in the worker's list.
  var position = -1

  /// - client: Of the request that it is for; lends its address and its listener.
  init(_ request: SideRequest, for client: ClientSide, address: SocketAddress, isUnattended: Bool) {
    self.request = request
    self.isUnattended = isUnattended
    memory = SideTransport(
      of: client.data, bytesMax: request.responseBytesMax, keepsContent: request.keepsResponse,
      mayKeep: request.mayKeep)
    super.init(
      memory, stream: nil, peer: address, listener: client.listener, data: client.data, isTLS: false,
      isSide: true)
  }

  override var connection: ClientConnection { preconditionFailure("a side request has no connection") }

  /// Ends it as soon as it waits for anything.
  func abandon() {
    isAborted = true
    wake()
  }

  /// Sends the request, and waits for all of its response. Once.
  /// - deadline: For all of it.
  func perform(on service: UpstreamService, until deadline: MonotonicTime) async {
    data.sideRequests.add(self)
    if !isAborted {
      let exchange = data.takeExchange()
      result = SideResult(await exchange.perform(request, of: self, on: service, until: deadline))
      if memory.isOverfull { result = .tooLarge }
      data.give(exchange)
    }
    cancelDeadline()
    memory.close(reset: false)
    data.sideRequestEnded(self)
  }

  override func responseHeadArrived(_ exchange: Exchange) {
    status = exchange.responseHead.status
    lines = exchange.responseLines()
  }

  /// Nil where there is none, or none that is whole for a reason other than its size.
  var response: SideResponse? {
    guard result == .answered || result == .tooLarge else { return nil }
    return SideResponse(status: status, lines: lines, content: memory.content, isWhole: result == .answered)
  }
}
