"""A mail server for tests: takes what is sent to it, and writes each message to a file before it says so.

server.py PORT FILE: listens at 127.0.0.1:PORT (0: any), says where, and appends to FILE. Addresses that begin with
`rejected` are refused for good; those that begin with `later`, as long as FILE.later is there. As long as there is one of
FILE.greeting, FILE.mail, FILE.rcpt, FILE.data, that step is answered with what it holds; if it is empty, once it is gone.
"""

import asyncio
import base64
import json
import os
import sys

from aiosmtpd.smtp import SMTP


class Greeting(SMTP):
    async def push(self, status):
        if not self.greeted:
            self.greeted = True
            status = await self.event_handler.instead("greeting") or status
        await super().push(status)

    greeted = False


class Keep:
    async def instead(self, step):
        """What is answered at this step, if it is not what it should be."""
        file = f"{self.file}.{step}"
        while os.path.exists(file):
            with open(file) as known:
                answer = known.read()
            if answer:
                return answer
            await asyncio.sleep(0.01)
        return None

    async def handle_MAIL(self, server, session, envelope, address, options):
        answer = await self.instead("mail")
        if answer:
            return answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    def __init__(self, file):
        self.file = file

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("rejected"):
            return "550 5.1.1 no such mailbox"
        if address.startswith("later") and os.path.exists(self.file + ".later"):
            return "451 4.3.0 try again later"
        answer = await self.instead("rcpt")
        if answer:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        answer = await self.instead("data")
        if answer:
            return answer
        content = base64.b64encode(envelope.content).decode()
        line = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "hello": session.host_name, "content": content}
        with open(self.file, "a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return "250 OK"


async def serve(port, file):
    loop = asyncio.get_running_loop()
    keep = Keep(file)
    server = await loop.create_server(lambda: Greeting(keep, loop=loop), "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
