# SPDX-License-Identifier: Apache-2.0
"""A model that talks as an OpenAI-compatible server in the cluster does: chat completions, streamed, usage at the end.
model.py PORT"""
import sys
import time

import wire

ANSWER = "There are 1284 orders. The table invoices does not exist, so I could not count them."


class Model(wire.Handler):
    def do_POST(self):
        request = self.message()
        words = ANSWER.split()
        prompt = sum(len(m["content"].split()) for m in request["messages"])
        chunk = {"id": "chatcmpl-7f3a", "object": "chat.completion.chunk", "created": int(time.time()), "model": request["model"]}
        self.begin_events()
        time.sleep(0.05)  # it reads the prompt
        for i, word in enumerate(words):
            delta = {"content": word if i == 0 else " " + word}
            self.event({**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None}], "usage": None})
            time.sleep(0.01)
        self.event({**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None})
        usage = {"prompt_tokens": prompt, "completion_tokens": len(words), "total_tokens": prompt + len(words)}
        self.event({**chunk, "choices": [], "usage": usage})
        self.event("[DONE]")
        self.end_events()


wire.serve(int(sys.argv[1]), Model)
