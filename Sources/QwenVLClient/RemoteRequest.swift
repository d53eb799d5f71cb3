import ChatTemplate
import Foundation
import QwenVL

/// A request as it goes over the wire.
struct RemoteRequest {
    let model: String
    let messages: [ChatMessage]
    let tools: [JSONValue]
    let options: GenerationOptions

    /// - Throws: `InputError` for a file that cannot be read.
    var json: TemplateValue {
        get throws {
            var members: [(String, TemplateValue)] = [
                ("model", .string(model)), ("messages", .list(try messages.enumerated().map(message))),
                ("stream", true), ("return_token_ids", true),
                ("stream_options", ["include_usage": true, "continuous_usage_stats": true]),
            ]
            if !tools.isEmpty { members.append(("tools", .list(tools.map(\.value)))) }
            return .mapping(members + fields)
        }
    }

    // MARK: Messages

    private func message(_ index: Int, _ message: ChatMessage) throws -> TemplateValue {
        guard case .parts(let parts) = message.content else { return message.json }
        var message = message
        message.content = .parts(
            try parts.enumerated().map { try carried($1, field: "messages[\(index)].content[\($0)]") })
        return message.json
    }

    /// The part with the bytes of its files in place of their names.
    private func carried(_ part: ContentPart, field: String) throws -> ContentPart {
        switch part {
        case .text: return part
        case .image(var image):
            image.source = try carried(image.source, field: field)
            return .image(image)
        case .video(var video):
            switch video.source {
            case .file(let source): video.source = .file(try carried(source, field: field))
            case .frames(let frames): video.source = .frames(try frames.map { try carried($0, field: field) })
            }
            return .video(video)
        }
    }

    private func carried(_ source: MediaSource, field: String) throws -> MediaSource {
        guard case .path(let path) = source else { return source }
        guard let data = FileManager.default.contents(atPath: path), !data.isEmpty else {
            throw InputError(field: field, expected: "a file that can be read", found: "\"\(path)\"")
        }
        return .data(data)
    }

    // MARK: Options

    private var fields: [(String, TemplateValue)] {
        var fields: [(String, TemplateValue)] = []
        func add(_ name: String, _ value: TemplateValue?) { if let value { fields.append((name, value)) } }
        let numbers: [(String, Double?)] = [
            ("temperature", options.doSample == false ? 0 : options.temperature), ("top_p", options.topP),
            ("min_p", options.minP), ("repetition_penalty", options.repetitionPenalty),
            ("presence_penalty", options.presencePenalty), ("frequency_penalty", options.frequencyPenalty),
        ]
        for (name, number) in numbers { add(name, number.map { .double($0) }) }
        add("max_tokens", options.maxTokens.map { .integer($0) })
        add("top_k", options.topK.map { .integer($0) })
        add("seed", options.seed.map { .integer(Int(Int64(bitPattern: $0))) })
        add("stop", options.stop.map { .list($0.map { .string($0) }) })
        add("stop_token_ids", options.stopTokenIDs.map { .list($0.map { .integer($0) }) })
        add("ignore_eos", options.ignoreEndOfSequence.map { .boolean($0) })
        add("logit_bias", options.logitBias.map { .mapping($0.map { ("\($0)", .double($1)) }) })
        if let count = options.logprobs {
            add("logprobs", true)
            add("top_logprobs", .integer(count))
        }
        switch options.responseFormat {
        case .jsonObject?: add("response_format", ["type": "json_object"])
        case .jsonSchema(let schema)?:
            add("response_format", ["type": "json_schema", "json_schema": ["name": "answer", "schema": schema.value]])
        case .toolCall(let tools)?: add("tool_choice", tools.count == 1 ? tools[0].value : "required")
        case .text?, nil: break
        }
        return fields
    }
}
