import ChatTemplate
import Foundation
import QwenVL
import Testing

@Suite("Messages")
struct MessagesTests {
    private func one(_ json: String) throws -> ChatMessage {
        try #require(ChatMessage.conversations(json: json).first?.first)
    }

    @Test("The model card's forms are read with every field")
    func readsEveryField() throws {
        let message = try one(
            """
            [{"role": "user", "content": [
              {"type": "image", "image": "file:///a b%20.jpg", "min_pixels": 50176, "max_pixels": 1003520.0,
               "resized_height": 280, "resized_width": 420},
              {"type": "image_url", "image_url": {"url": "https://example.com/x.png", "detail": "high"}},
              {"image": "data:image/png;base64,aGk="},
              {"type": "video", "video": "clip.mp4", "fps": 1, "min_frames": 4, "max_frames": 16, "min_pixels": 3136,
               "max_pixels": 50176, "total_pixels": 16056320, "video_start": 0.5, "video_end": 9},
              {"type": "video", "video": ["a.jpg", "file://b.jpg"], "nframes": 8},
              {"type": "text", "text": "What?"}]}]
            """)
        #expect(message.role == .user)
        var clip = VideoPart(.file(.path("clip.mp4")))
        (clip.fps, clip.minFrames, clip.maxFrames) = (1, 4, 16)
        (clip.minPixels, clip.maxPixels, clip.totalPixels) = (3136, 50176, 16_056_320)
        (clip.start, clip.end) = (0.5, 9)
        var frames = VideoPart(.frames([.path("a.jpg"), .path("b.jpg")]))
        frames.frameCount = 8
        let url = try #require(URL(string: "https://example.com/x.png"))
        #expect(
            message.parts == [
                .image(
                    ImagePart(
                        .path("/a b%20.jpg"), minPixels: 50176, maxPixels: 1_003_520, resizedHeight: 280,
                        resizedWidth: 420)),
                .image(ImagePart(.url(url), detail: "high")),
                .image(.data(Data("hi".utf8))), .video(clip), .video(frames), .text("What?"),
            ])
        #expect(message.text == "What?")
    }

    @Test(
        "Wrong fields are errors that name the place, the expectation and what was found",
        arguments: [
            (
                #"[{"role":"user","content":"a"},{"role":"user","content":[{"type":"image","image":"a","min_pixels":"x"}]}]"#,
                #"messages[1].content[0].min_pixels: expected a positive integer, found "x""#
            ),
            (
                #"[{"role":"user","content":[{"type":"image","image":"a","max_pixels":0}]}]"#,
                "messages[0].content[0].max_pixels: expected a positive integer, found 0"
            ),
            (
                #"[{"role":"user","content":[{"type":"image","image":"a","max_pixels":1.5}]}]"#,
                "messages[0].content[0].max_pixels: expected a positive integer, found 1.5"
            ),
            (
                #"[{"role":"user","content":[{"type":"image","image":"a","max_pixels":true}]}]"#,
                "messages[0].content[0].max_pixels: expected a positive integer, found true"
            ),
            (
                #"[{"role":"user","content":[{"type":"sound","sound":"a"}]}]"#,
                #"messages[0].content[0].type: expected "text", "image", "image_url", "video" or "video_url", found "sound""#
            ),
            (
                #"[{"role":"user","content":[{"type":"image"}]}]"#,
                "messages[0].content[0].image: expected a path, a URL or a data URI, found nothing"
            ),
            (
                #"[{"role":"user","content":[{"type":"image","image":7}]}]"#,
                "messages[0].content[0].image: expected a path, a URL or a data URI, found 7"
            ),
            (
                #"[{"role":"user","content":[{"type":"image_url","image_url":{"uri":"x"}}]}]"#,
                "messages[0].content[0].image_url.url: expected a URL or a data URI, found nothing"
            ),
            (
                #"[{"role":"user","content":[{"type":"image","image":"data:image/png;base64,*"}]}]"#,
                #"messages[0].content[0].image: expected valid Base64 after the comma, found "data:image/png;base64,*""#
            ),
            (
                #"[{"role":"user","content":[{"type":"image","image":"data:image/png,abc"}]}]"#,
                #"messages[0].content[0].image: expected a data URI in Base64 (data:…;base64,…), found "data:image/png,abc""#
            ),
            (
                #"[{"role":"user","content":[{"type":"video","video":[]}]}]"#,
                "messages[0].content[0].video: expected a path, a URL, or at least one frame, found an empty list"
            ),
            (
                #"[{"role":"user","content":[{"type":"video","video":["a",3]}]}]"#,
                "messages[0].content[0].video[1]: expected a path, a URL or a data URI, found 3"
            ),
            (
                #"[{"role":"user","content":[{"type":"video","video":"a","fps":1,"nframes":4}]}]"#,
                "messages[0].content[0]: expected either fps or nframes, found both"
            ),
            (
                #"[{"role":"user","content":[{"type":"video","video":"a","fps":0}]}]"#,
                "messages[0].content[0].fps: expected a positive number, found 0"
            ),
            (
                #"[{"role":"user","content":[{"type":"video","video":"a","video_start":2,"video_end":1}]}]"#,
                "messages[0].content[0].video_end: expected more than video_start (2.0), found 1.0"
            ),
            (
                #"[{"role":"user","content":[{"type":"image","image":"a","min_pixels":9000,"max_pixels":4000}]}]"#,
                "messages[0].content[0].max_pixels: expected at least min_pixels (9000), found 4000"
            ),
            (
                #"[{"role":"user","content":[{}]}]"#,
                "messages[0].content[0]: expected a \"type\", or one of text, image, image_url, video, found an object with none of them"
            ),
            (#"[{"role":"user","content":3}]"#, "messages[0].content: expected a string or a list of parts, found 3"),
            (#"[{"role":"user"}]"#, "messages[0].content: expected a string or a list of parts, found nothing"),
            (#"[{"content":"a"}]"#, "messages[0].role: expected a string, found nothing"),
            (#"[{"role":"","content":"a"}]"#, #"messages[0].role: expected the name of a role, found """#),
            (#"["hello"]"#, #"messages[0]: expected a message (an object with role and content), found "hello""#),
            ("[]", "messages: expected at least one message, found an empty list"),
            (
                #"[[{"role":"user","content":"a"}],[{"role":1}]]"#,
                "conversations[1][0].role: expected a string, found 1"
            ),
            (#"{"model":"x"}"#, "messages: expected a list of messages, found nothing"),
            ("[{]", "messages: expected JSON, found expected a key in double quotes at line 1, column 3"),
        ])
    func namesThePlace(json: String, message: String) throws {
        let error = try #require(throws: InputError.self) { _ = try ChatMessage.conversations(json: json) }
        #expect(error.description == message)
    }

    @Test("A file holds one conversation, several, or an object with messages")
    func readsSeveralConversations() throws {
        let message = #"{"role":"user","content":"a"}"#
        #expect(try ChatMessage.conversations(json: "[\(message)]") == [[.user("a")]])
        #expect(try ChatMessage.conversations(json: "[[\(message)],[\(message)]]") == [[.user("a")], [.user("a")]])
        #expect(try ChatMessage.conversations(json: #"{"messages":[\#(message)]}"#) == [[.user("a")]])
    }

    @Test("Templates see the fields they test on, and further fields in their order")
    func givesTemplateValues() throws {
        let message = try one(
            #"[{"role":"assistant","content":null,"tool_calls":[{"function":{"name":"f","arguments":{"z":1,"a":2}}}],"name":"n"}]"#
        )
        guard case .mapping(let mapping) = message.templateValue else {
            Issue.record("a message is a mapping")
            return
        }
        #expect(mapping.keys == ["role", "content", "tool_calls", "name"])
        #expect(mapping["content"] == .null)
        #expect(
            mapping["tool_calls"]
                == .list([["function": ["name": "f", "arguments": .mapping([("z", 1), ("a", 2)])]]]))

        let user = ChatMessage.user(.image(.data(Data([1]))), .video(frames: [.path("a")]), .text("t"))
        #expect(
            user.templateValue == [
                "role": "user",
                "content": [
                    ["type": "image", "image": "data:"], ["type": "video", "video": ["a"]],
                    ["type": "text", "text": "t"],
                ],
            ])
        #expect(ChatMessage(role: .assistant, content: .absent, extra: ["x": 1]).templateValue["content"] == nil)
    }

    @Test("Encoding and decoding give the same message")
    func roundTrips() throws {
        var video = VideoPart(.frames([.path("a.jpg"), .data(Data([1, 2]))]))
        (video.fps, video.start, video.totalPixels) = (0.5, 1, 99)
        let messages = [
            ChatMessage.system("s"),
            ChatMessage(
                role: .user,
                content: .parts([
                    .image(ImagePart(.path("p"), minPixels: 3136, detail: "low")), .video(video), .text("é"),
                ]),
                extra: ["name": "n", "list": [1, 2.5, true, nil]]),
            ChatMessage(role: .assistant, content: .null, extra: ["tool_calls": [["id": "1"]]]),
        ]
        let data = try JSONEncoder().encode(messages)
        #expect(try JSONDecoder().decode([ChatMessage].self, from: data) == messages)
        #expect(try ChatMessage.conversations(json: data) == [messages])
        let error = try #require(throws: InputError.self) {
            _ = try JSONDecoder().decode([ChatMessage].self, from: Data(#"[{"role":"user","content":7}]"#.utf8))
        }
        #expect(error.field == "messages[0].content")
    }
}
