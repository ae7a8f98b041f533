import HTTPTypes
import Hummingbird

extension Response {
  /// What the API says where nothing is wrong.
  ///
  /// - Parameter revision: the one that the answer was made from, or that the change got.
  static func json(_ document: JSON, status: Int = 200, revision: UInt64? = nil) -> Response {
    var headers: HTTPFields = [
      .contentType: RequestContent.json, .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
    ]
    if let revision { headers[.penstockRevision] = "\(revision)" }
    return Response(
      status: .init(code: status), headers: headers,
      body: ResponseBody(byteBuffer: ByteBuffer(bytes: document.bytes + [0x0A])))
  }

  /// A page for people.
  static func text(
    _ text: String, status: HTTPResponse.Status = .ok, type: String = "text/plain; charset=utf-8"
  ) -> Response {
    Response(
      status: status,
      headers: [.contentType: type, .cacheControl: "no-store", .xContentTypeOptions: "nosniff"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }
}
