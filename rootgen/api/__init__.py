"""(vocabulary of api: written with the room)"""
