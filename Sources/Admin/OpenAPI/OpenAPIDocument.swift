import HTTPTypes

/// The OpenAPI 3.1 document of the admin address, made from the router's own list of routes.
enum OpenAPIDocument {
  /// Of the API, not of the program: it changes when a client would have to.
  static let version = "1.0.0"

  private static let description =
    "Resources are listeners, services, certificates, routes, consumers and plugins. Each has one owner: a file, or the store, "
    + "which this API writes. Every change of any resource gets the next revision."

  static let schemas: [JSON.Member] =
    [
      CommonSchemas.all, ListenerSchemas.all, CertificateSchemas.all, ServiceSchemas.all,
      ServiceSettingSchemas.all, RouteSchemas.all, ChangeSchemas.all, AnswerSchemas.all,
      ExplanationSchemas.all,
    ].flatMap { $0.map { JSON.Member(name: $0.key, value: $0.value) } } + PluginSchemas.all

  static func make(_ routes: [AdminRoute]) -> JSON {
    [
      "openapi": "3.1.1",
      "info": [
        "title": "Penstock admin API", "version": .string(version),
        "description": .string(description),
        "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
      ],
      "servers": [["url": "/"]],
      "security": [["token": []], [:]],
      "tags": .array(
        [
          ("listeners", "Where clients connect."), ("services", "Where requests go."),
          ("certificates", "What listeners with TLS show."), ("routes", "Which requests go where."),
          ("consumers", "Who calls."), ("plugins", "What every request meets."),
          ("changes", "Several resources at once."), ("history", "What was changed, and by whom."),
          ("operation", "The gateway itself."), ("pages", "Health, metrics and what runs."),
        ].map { ["name": .string($0.0), "description": .string($0.1)] }),
      "paths": .object(paths(routes)),
      "components": [
        "securitySchemes": [
          "token": [
            "type": "http", "scheme": "bearer",
            "description": "The token of the configuration's admin.token, where there is one.",
          ]
        ],
        "schemas": .object(schemas),
        "headers": .object(
          AnswerField.allCases.map { field in
            JSON.Member(
              name: field.rawValue,
              value: [
                "description": .string(field.description), "schema": ["type": "string"],
                "example": field.example,
              ])
          }),
      ],
    ]
  }

  /// Routes by path, in their order.
  private static func paths(_ routes: [AdminRoute]) -> [JSON.Member] {
    var paths: [JSON.Member] = []
    for path in routes.map(\.path) where !paths.contains(where: { $0.name == path.text }) {
      let operations = routes.filter { $0.path == path }.map { route in
        JSON.Member(name: route.method.rawValue.lowercased(), value: operation(route))
      }
      paths.append(JSON.Member(name: path.text, value: .object(operations)))
    }
    return paths
  }

  private static func operation(_ route: AdminRoute) -> JSON {
    let operation = route.operation
    let parameters = route.path.parameters.map(pathParameter) + operation.parameters.map(parameter)
    return .members([
      "operationId": .string(operation.id),
      "tags": [.string(operation.tag)],
      "summary": .string(operation.summary),
      "description": .optional(operation.description),
      "security": route.access == .everyone ? .array([]) : nil,
      "parameters": parameters.isEmpty ? nil : .array(parameters),
      "requestBody": operation.body.map(body),
      "responses": .object(responses(route)),
    ])
  }

  // MARK: Parameters and content

  private static func pathParameter(_ name: String) -> JSON {
    let schema: JSON =
      switch name {
      case "name": Schema.reference("Name")
      case "revision": Schema.reference("Revision")
      default: ["type": "string"]
      }
    return ["name": .string(name), "in": "path", "required": true, "schema": schema]
  }

  private static func parameter(_ parameter: APIOperation.Parameter) -> JSON {
    .members([
      "name": .string(parameter.name),
      "in": .string(parameter.place.rawValue),
      "description": .string(parameter.description),
      "required": parameter.isRequired ? true : nil,
      "schema": parameter.isList ? ["type": "array", "items": parameter.schema] : parameter.schema,
    ])
  }

  private static func body(_ body: APIOperation.Body) -> JSON {
    [
      "required": .boolean(body.isRequired),
      "content": .object(
        body.mediaTypes.map { type in
          JSON.Member(name: type, value: .members(["schema": body.schema, "example": body.example]))
        }),
    ]
  }

  // MARK: Answers

  /// One for each status, in their order.
  private static func responses(_ route: AdminRoute) -> [JSON.Member] {
    route.statuses.sorted().map { status in
      let answers = route.operation.answers.filter { $0.status == status }
      let problems = route.problems.filter { $0.status == status }
      return JSON.Member(name: "\(status)", value: response(answers, problems))
    }
  }

  private static func response(_ answers: [APIOperation.Answer], _ problems: [ProblemKind]) -> JSON {
    var content: [JSON.Member] = []
    for answer in answers {
      guard let type = answer.mediaType, let schema = answer.schema else { continue }
      content.append(
        JSON.Member(name: type, value: .members(["schema": schema, "example": answer.example])))
    }
    if !problems.isEmpty {
      content.append(
        JSON.Member(
          name: "application/problem+json",
          value: [
            "schema": Schema.reference("Problem"),
            "examples": .object(problems.map { JSON.Member(name: $0.rawValue, value: example($0)) }),
          ]))
    }
    let titles = answers.map(\.description) + problems.map { $0.title + "." }
    let fields = answers.flatMap(\.fields).map(\.rawValue)
    return .members([
      "description": .string(titles.joined(separator: " ")),
      "headers": fields.isEmpty
        ? nil
        : .object(
          fields.map {
            JSON.Member(name: $0, value: ["$ref": .string("#/components/headers/\($0)")])
          }),
      "content": content.isEmpty ? nil : .object(content),
    ])
  }

  private static func example(_ kind: ProblemKind) -> JSON {
    [
      "value": [
        "type": .string(kind.type), "title": .string(kind.title), "status": .number(kind.status),
        "detail": .string(kind.explanation.replacing("\n", with: " ")), "instance": "/v1/routes/shop",
      ]
    ]
  }
}
